from . import actions, auth, consent, health, rate_limit, secret, token
