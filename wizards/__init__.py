from . import base, confirmation, migrate, restore
