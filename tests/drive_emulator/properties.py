"""Custom properties of files: public ones, and private ones of each application.

Page "Add custom file properties" of the Drive guides, with its limits.
"""
from errors import DriveError

PROPERTY_BYTES = 124  # key and value together, UTF-8
APP_PROPERTIES = 30  # private properties of one application on a file
ALL_PROPERTIES = 100  # properties of all kinds on a file


def app_properties(file, client_id):
    """The private properties of an application, and those given to every one."""
    kept = file.get("appProperties", {})
    return dict(kept.get("*", {}), **kept.get(client_id, {}))


def merge_properties(changed, body, client_id):
    """Put the properties of a request body into a changed record; null removes.

    :raises DriveError: 403 when there get to be too many
    """
    if body.get("properties") is not None:
        changed["properties"] = merged(changed.get("properties"), body["properties"])
    if body.get("appProperties") is None:
        return
    mine = merged(app_properties(changed, client_id), body["appProperties"])
    if len(mine) > APP_PROPERTIES:
        raise _too_many("The limit of 30 private properties per app was exceeded.")
    # what every application may see becomes this one's own on first writing
    kept = dict(changed.get("appProperties", {}), **{client_id: mine})
    kept.pop("*", None)
    changed["appProperties"] = kept
    total = sum(len(one) for one in kept.values())
    if total + len(changed.get("properties", {})) > ALL_PROPERTIES:
        raise _too_many("The limit of 100 properties per file was exceeded.")


def merged(old, new):
    """Both, the new ones winning; those that are None go."""
    both = dict(old or {}, **new)
    return {key: value for key, value in both.items() if value is not None}


def check_sizes(properties):
    """Refuse properties that are too long.

    :raises DriveError: 403 propertyTooLarge
    """
    for key, value in properties.items():
        if len((key + (value or "")).encode()) > PROPERTY_BYTES:
            message = (
                "The total size of a property's key and value is limited to 124 bytes"
                " in UTF-8: %s" % key
            )
            raise DriveError(403, "propertyTooLarge", message)


def _too_many(message):
    return DriveError(403, "propertyCountExceeded", message)
