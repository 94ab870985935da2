# isort: skip_file
from . import secret
from . import auth
from . import token
from . import health
from . import consent
from . import actions
from . import rate_limit
