from . import binary, file_proxy, oauth
