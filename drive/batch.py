"""Many questions in one request ("Send batch requests" of the Drive guide)."""

from googleapiclient.errors import BatchError

from .answers import UNREADABLE, a_file, noise
from .errors import DriveError, InvalidRequestError, NotFoundError, from_response

GET_BATCH = 100  # most calls in one batch request
#: What the library raises for a batch that is not answered as one.
MALFORMED = UNREADABLE + (LookupError, TypeError, AttributeError, BatchError)


class BatchGet:
    """Asks for the metadata of some files at once.

    :param DriveClient client: the account's
    :param list[str] file_ids: at most :data:`GET_BATCH`
    :param str fields: what is wanted of each
    """

    def __init__(self, client, file_ids, fields):
        self._client, self._fields = client, fields
        self._ids = file_ids
        self._answers = {}

    def answers(self):
        """What Drive knows; absent is what is not there, or refused for a file alone.

        :rtype: dict[str, dict]
        :raises DriveError: a refusal that is about more than a file
        """
        try:
            self._client.retrier.call(self._step)
        except (NotFoundError, InvalidRequestError):
            # a proxy or server without that endpoint: slower, and as good
            self._answers.update({i: self._get_or_none(i) for i in self._ids})
        return {file_id: file for file_id, file in self._answers.items() if file}

    def _step(self):
        refusals = self._client.guard(self._send)
        if refusals:
            raise refusals[0]  # what was answered is kept: a repetition asks for less

    def _get_or_none(self, file_id):
        try:
            return self._client.get(file_id, self._fields)
        except DriveError as err:
            if err.retryable or err.stops_run:
                raise
            return None

    def _send(self):
        """One request; what was answered is kept, None for a refusal of a file.

        :return: refusals that are not about a single file
        :rtype: list[DriveError]
        """
        refusals, client = [], self._client

        def receive(file_id, metadata, err):
            """One answer of the batch, as googleapiclient hands it over."""
            try:
                if err:
                    raise from_response(err.resp.status, err.resp, err.content)
                self._answers[file_id] = a_file(metadata)
            except DriveError as refusal:
                if refusal.retryable or refusal.stops_run:
                    refusals.append(refusal)
                else:
                    self._answers[file_id] = None

        batch = client.service.new_batch_http_request(callback=receive)
        for file_id in [i for i in self._ids if i not in self._answers]:
            request = client.files.get(
                fileId=file_id, fields=self._fields, supportsAllDrives=True
            )
            batch.add(request, request_id=file_id)
        try:
            batch.execute(http=client.http())
        except MALFORMED as err:
            raise noise() from err
        return refusals
