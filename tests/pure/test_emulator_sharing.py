"""Permissions, shared drives, and who may do what there."""
import pytest
from conftest import RELATED, refusal, related

BOB = "bob@example.com"


@pytest.fixture
def alice(connect):
    return connect(email="alice@example.com", scope="drive")


@pytest.fixture
def bob(connect):
    return connect(email=BOB, scope="drive")


def share(api, file_id, fields=None, **permission):
    params = {"fields": fields} if fields else {}
    path = "/files/%s/permissions" % file_id
    return api.call("POST", path, json=permission, params=params)


def test_sharing_with_a_person(alice, bob):
    file_id = alice.create("x", b"x")["id"]
    shown = share(alice, file_id, type="user", role="reader", emailAddress=BOB).json()
    assert set(shown) == {"kind", "id", "type", "role"}
    assert bob.get("/files/" + file_id, alt="media").content == b"x"
    assert bob.names() == bob.names("sharedWithMe = true") == ["x"]
    assert bob.get("/files/" + file_id, fields="ownedByMe").json() == {
        "ownedByMe": False
    }
    for method in ("PATCH", "DELETE"):
        answer = bob.call(method, "/files/" + file_id, json={"name": "mine"})
        assert refusal(answer) == (403, "insufficientFilePermissions")
    copied = bob.call(
        "POST", "/files/%s/copy" % file_id, params={"fields": "ownedByMe"}
    )
    assert copied.json() == {"ownedByMe": True}
    path = "/files/%s/permissions/%s" % (file_id, shown["id"])
    assert alice.call("PATCH", path, json={"role": "writer"}).json()["role"] == "writer"
    assert bob.call("PATCH", "/files/" + file_id, json={"name": "y"}).status_code == 200
    trash = bob.call("PATCH", "/files/" + file_id, json={"trashed": True})
    assert refusal(trash)[0] == 403
    assert alice.call("DELETE", path).status_code == 204
    assert refusal(bob.get("/files/" + file_id)) == (404, "notFound")


def test_sharing_with_anyone(alice, bob):
    file_id = alice.create("x", b"x")["id"]
    shown = share(alice, file_id, fields="*", type="anyone", role="reader").json()
    assert shown["id"] == "anyoneWithLink"
    assert bob.get("/files/" + file_id).status_code == 200
    assert bob.names() == []
    assert alice.get("/files/" + file_id, fields="shared").json() == {"shared": True}
    listed = alice.get("/files/%s/permissions" % file_id).json()["permissions"]
    assert {one["type"]: one["role"] for one in listed} == {
        "anyone": "reader",
        "user": "owner",
    }
    alice.call("DELETE", "/files/%s/permissions/anyoneWithLink" % file_id)
    assert refusal(bob.get("/files/" + file_id))[0] == 404


def test_what_is_in_a_shared_folder_is_shared(alice, bob, emulator):
    folder = alice.folder()
    file_id = alice.create("x", parents=[folder])["id"]
    share(alice, folder, type="user", role="writer", emailAddress=BOB)
    assert bob.get("/files/" + file_id).status_code == 200
    made = bob.create("from bob", parents=[folder])
    assert emulator.file(made["id"])["owner"] == BOB
    key = share(alice, folder, type="user", role="writer", emailAddress=BOB).json()[
        "id"
    ]
    answer = alice.call("DELETE", "/files/%s/permissions/%s" % (file_id, key))
    assert refusal(answer)[0] == 403


@pytest.mark.parametrize(
    "status, permission",
    [
        (400, {}),
        (400, {"type": "user", "role": "reader"}),
        (400, {"type": "user", "role": "king", "emailAddress": BOB}),
        (400, {"type": "alien", "role": "reader"}),
        (400, {"type": "user", "role": "reader", "emailAddress": "nobody"}),
        (400, {"type": "anyone", "role": 5}),
        (403, {"type": "user", "role": "owner", "emailAddress": BOB}),
        (403, {"type": "user", "role": "organizer", "emailAddress": BOB}),
    ],
)
def test_bad_permissions(alice, status, permission):
    file_id = alice.create("x")["id"]
    assert refusal(share(alice, file_id, **permission))[0] == status


def test_readers_neither_share_nor_see_who_has_access(alice, bob):
    file_id = alice.create("x")["id"]
    share(alice, file_id, type="user", role="reader", emailAddress=BOB)
    assert refusal(share(bob, file_id, type="anyone", role="reader"))[0] == 403
    assert refusal(bob.get("/files/%s/permissions" % file_id))[0] == 403
    shown = bob.get("/files/" + file_id, fields="permissions").json()
    assert shown == {}


def test_unknown_permission(alice):
    file_id = alice.create("x")["id"]
    answer = alice.call("DELETE", "/files/%s/permissions/123" % file_id)
    assert refusal(answer) == (404, "notFound")


def test_shared_drive(alice, bob, emulator):
    drive_id = emulator.shared_drive("team", {"alice@example.com": "organizer"})
    file = alice.create("x", parents=[drive_id])
    assert file["driveId"] == drive_id
    assert not {"owners", "ownedByMe", "permissions", "shared"} & set(file)
    path = "/files/" + file["id"]
    assert refusal(alice.get(path)) == (404, "notFound")
    assert alice.get(path, supportsAllDrives="true").status_code == 200
    assert refusal(bob.get(path, supportsAllDrives="true"))[0] == 404
    body = related({"parents": [drive_id]}, b"x")
    url = "/upload/drive/v3/files?uploadType=multipart"
    assert refusal(alice.call("POST", url, data=body, headers=RELATED))[0] == 404
    assert alice.names() == []
    everywhere = {"includeItemsFromAllDrives": "true", "supportsAllDrives": "true"}
    assert alice.names(**everywhere) == ["x"]
    assert alice.names(corpora="drive", driveId=drive_id, **everywhere) == ["x"]
    assert alice.names("'%s' in parents" % drive_id, **everywhere) == ["x"]
    other = bob.get("/files", corpora="drive", driveId=drive_id, **everywhere)
    assert refusal(other)[0] == 404
    assert alice.get("/drives").json()["drives"][0]["name"] == "team"
    assert alice.get("/drives/" + drive_id).status_code == 200
    assert refusal(bob.get("/drives/" + drive_id))[0] == 404


def test_roles_in_a_shared_drive(alice, bob, emulator):
    members = {"alice@example.com": "organizer", BOB: "writer"}
    drive_id = emulator.shared_drive("team", members)
    path = "/files/" + bob.create("x", parents=[drive_id])["id"]
    params = {"supportsAllDrives": "true"}
    assert refusal(bob.call("DELETE", path, params=params))[0] == 403
    trash = bob.call("PATCH", path, json={"trashed": True}, params=params)
    assert refusal(trash)[0] == 403
    trash = alice.call("PATCH", path, json={"trashed": True}, params=params)
    assert trash.status_code == 200
    assert alice.call("DELETE", path, params=params).status_code == 204


def test_shared_drives_cost_nobody_quota(alice, emulator):
    emulator.set_quota(limit=10)
    drive_id = emulator.shared_drive("team", ["alice@example.com"])
    alice.create("x", bytes(1000), parents=[drive_id])
    usage = alice.get("/about", fields="storageQuota/usage").json()
    assert usage == {"storageQuota": {"usage": "0"}}


def test_service_accounts_have_no_room_of_their_own(connect):
    robot = connect(email="robot@p.iam.gserviceaccount.com", scope="drive")
    assert robot.folder("folders are free")
    body = related({"name": "x"}, b"x")
    url = "/upload/drive/v3/files?uploadType=multipart"
    answer = robot.call("POST", url, data=body, headers=RELATED)
    assert refusal(answer) == (403, "storageQuotaExceeded")
