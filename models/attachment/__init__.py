from . import actions, attachment, content, schema
