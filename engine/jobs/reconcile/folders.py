"""The folders of an account, as the comparison with Drive needs them."""

from ....drive.errors import NotFoundError
from ...folders import Folders
from ...rules import rule_of


class AccountFolders:
    """Where the files of an account belong.

    :param auth: the account
    :param DriveClient client: the account's
    """

    def __init__(self, auth, client):
        self._env, self._client = auth.env, client
        self._configs = auth.config_ids
        self._by_config = {}
        rules = self._configs.model_config_ids
        rows = auth.env["cloud_storage.folder"].search(
            [("model_config_id", "in", rules.ids)]
        )
        self._roots = set(self._configs.mapped("drive_root_folder_id")) - {False}
        made = rules.mapped("drive_folder_id") + rows.mapped("drive_folder_id")
        self._made = set(made) - {False}

    def are_others(self, parents):
        """Whether a file with these parents was moved elsewhere."""
        return bool(self._made) and not (self._made | self._roots).intersection(parents)

    def are_gone(self):
        """Whether there were folders and none of them is there any more.

        :raises DriveError: Drive does not answer
        """
        known = self._made | self._roots
        return bool(known) and not any(map(self._exists, known))

    def _exists(self, folder_id):
        try:
            self._client.get(folder_id, fields="id")
        except NotFoundError:
            return False
        return True

    def home_of(self, row):
        """Id of the folder for an attachment, None when no rule covers it any more.

        :raises DriveError: Drive refused or did not answer
        """
        for config in self._configs:
            rule = rule_of(config, row._asdict())
            if rule:
                return self._folders(config).folder_for(rule, row.create_date)
        return None

    def _folders(self, config):
        if config not in self._by_config:
            self._by_config[config] = Folders(self._env, config, self._client)
        return self._by_config[config]
