"""What the routes and the models have to agree on."""

CALLBACK_PATH = "/cloud_storage/oauth/callback"
PROXY_PATH = "/cloud_storage/file/"
#: Sides of the squares (pixels) for which small variants of images are kept.
THUMBNAIL_SIDES = (128, 256)
#: Seconds that a button works before the rest goes to the background.
BUTTON_SECONDS = 15
#: Most files of a manual sync, where nobody says how many.
DEFAULT_LIMIT = 500
