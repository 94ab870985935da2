"""The answer to one request: what its handler gives, and what faults make of it."""
import json

from errors import DriveError, OAuthError, PlainError
from faults import refusal
from http_message import FilePart, Response, error_response, json_response

#: What a portal, a proxy or an outage page puts in the place of the answer.
PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body></body></html>"


def answer(request, handler):
    """Do the work of a request, unless a fault prevents that.

    :param Request request: its ``fault`` is taken already
    :param function handler: takes the request
    :rtype: Response
    """
    fault = request.fault
    replaced = "html" in fault or "body" in fault
    if replaced and not fault.get("done"):
        return _replacement(fault)
    response = _handled(request, handler, fault)
    if replaced:
        close(response)
        return _replacement(fault)
    return _without(response, fault.get("omit"))


def close(response):
    """Give back the file of an answer that is not sent."""
    if isinstance(response.body, FilePart):
        response.body.stream.close()


def _handled(request, handler, fault):
    try:
        if "status" in fault:
            raise refusal(request.route, fault)
        return handler(request)
    except (DriveError, OAuthError, PlainError) as err:
        response = error_response(err)
        if "status" in fault and "retry_after" in fault:
            response.headers.append(("Retry-After", str(fault["retry_after"])))
        return response


def _replacement(fault):
    status = fault.get("status", 200)
    if "body" not in fault:
        return Response(status, PAGE, (), "text/html; charset=utf-8")
    if isinstance(fault["body"], str):
        return Response(status, fault["body"].encode(), (), "application/json")
    return json_response(fault["body"], status)


def _without(response, omitted):
    """A JSON answer without some fields, those of listed files included."""
    if not omitted or response.status != 200 or isinstance(response.body, FilePart):
        return response
    document = json.loads(response.body)
    for resource in [document, *document.get("files", ())]:
        for name in omitted:
            resource.pop(name, None)
    response.body = json_response(document).body
    return response
