"""What the routes and the models have to agree on."""

CALLBACK_PATH = "/cloud_storage/oauth/callback"
PROXY_PATH = "/cloud_storage/file/"
#: Sides of the squares (pixels) for which small variants of images are kept.
THUMBNAIL_SIDES = (128, 256)
