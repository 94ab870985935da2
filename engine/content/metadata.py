"""What a file is called in Drive, and what it carries there about its attachment."""

import re

from ...drive.upload import DATABASE
from ...utils.filenames import drive_file_name

#: Bytes of a property's key and value together ("Limits for custom file properties" of
#: the Drive API guide).
PROPERTY_LIMIT = 124
ATTACHMENT = "odoo_attachment"
CHECKSUM = "odoo_checksum"
RECORD = "odoo_record"
OURS = (DATABASE, ATTACHMENT, CHECKSUM, RECORD)


def drive_name(row):
    """The name of an attachment's file.

    :param row: object with ``name``, ``res_model``, ``res_id`` and ``res_field``
    """
    if not row.res_field:
        return drive_file_name(row.name)
    return drive_file_name("%s-%s-%s" % (row.res_model, row.res_id, row.name))


def app_properties(database_uuid, row):
    """Private properties of an attachment's file: with them a lost link is found again.

    :param row: as above, ``id``, ``checksum`` and, where it was proven, ``cloud_sha1``
    :rtype: dict
    """
    record = "%s,%s,%s" % (row.res_model, row.res_id or 0, row.res_field or "")
    properties = {
        DATABASE: database_uuid,
        ATTACHMENT: str(row.id),
        CHECKSUM: getattr(row, "cloud_sha1", None) or row.checksum or "",
    }
    if len((RECORD + record).encode()) <= PROPERTY_LIMIT:
        properties[RECORD] = record
    return properties


def outdated(file, database_uuid, row):
    """What has to be changed for a file to be called and marked as its attachment is.

    A checksum that the file carries stays, unless another one was proven: that of the row
    is only what others wrote down. What another database marked is left to that one.

    :param dict file: metadata with ``name`` and ``appProperties``
    :param row: as above
    :return: body of a ``files.update``, empty when nothing differs
    :rtype: dict
    """
    known, wanted = file.get("appProperties", {}), {RECORD: None}
    if known.get(DATABASE, database_uuid) != database_uuid:
        return {}
    wanted.update(app_properties(database_uuid, row))
    if known.get(CHECKSUM) and not row.cloud_sha1:
        del wanted[CHECKSUM]
    marks = {key: value for key, value in wanted.items() if known.get(key) != value}
    change = {"appProperties": marks} if marks else {}
    if file.get("name") != drive_name(row):
        change["name"] = drive_name(row)
    return change


def properties_of(file):
    """The private properties of a file; what is not text is left out.

    :param dict file: metadata
    :rtype: dict[str, str]
    """
    found = file.get("appProperties")
    if not isinstance(found, dict):
        return {}
    return {name: text for name, text in found.items() if isinstance(text, str)}


def is_neighbours(file, database_uuid):
    """Whether a file carries the mark of another database: it is not ours to change."""
    return properties_of(file).get(DATABASE, database_uuid) != database_uuid


def attachment_id(properties):
    """The attachment a file was made for, 0 when that can not be told."""
    return _number(properties.get(ATTACHMENT, ""))


def record_of(properties):
    """Model, id and field of the record the attachment belonged to.

    :rtype: tuple[str, int, str]
    """
    model, number, field = (properties.get(RECORD, "").split(",") + ["", "", ""])[:3]
    return model, _number(number), field


def _number(text):
    # beyond the range of a PostgreSQL integer it would be an error to ask for it
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else 0
