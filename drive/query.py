"""The ``q`` language of ``files.list``.

Source: "Search for files and folders" of the Drive API guide: strings stand in single
quotes; a quote and a backslash within are escaped with a backslash.
"""

FOLDER_TYPE = "application/vnd.google-apps.folder"


def escape(value):
    """Return ``value`` fit to stand between single quotes.

    >>> escape("Joe's")
    "Joe\\\\'s"
    """
    return value.replace("\\", "\\\\").replace("'", "\\'")


def folder_named(name, parent_id):
    """Live folders called ``name`` right below ``parent_id``."""
    return "name = '%s' and '%s' in parents and mimeType = '%s' and trashed = false" % (
        escape(name),
        escape(parent_id),
        FOLDER_TYPE,
    )


def with_app_property(key, value):
    """Files that carry this private property, trashed ones too."""
    return "appProperties has { key='%s' and value='%s' }" % (
        escape(key),
        escape(value),
    )


def children_of(folder_id):
    """Live entries right below a folder."""
    return "'%s' in parents and trashed = false" % escape(folder_id)
