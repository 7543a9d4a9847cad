"""A customer's first hour, by the client that openapi-python-client makes of the served document: choose, try, order, wait,
look, destroy. Prints the server's uuid. Says in one sentence what was not as documented."""

import os
import sys
import uuid

from csp_client import AuthenticatedClient
from csp_client.api.actions import show_action
from csp_client.api.catalog import list_locations, list_os_images, list_packages
from csp_client.api.servers import destroy_server, order_server, show_server
from csp_client.api.ssh_keys import list_ssh_keys
from csp_client.api.wallet import show_balance
from csp_client.models import Quote, Server, ServerOrder, ServiceType

URL, KEY = os.environ["CSP_URL"], os.environ["CSP_API_KEY"]
client = AuthenticatedClient(base_url=URL + "/api/v1", token=KEY, timeout=60.0, raise_on_unexpected_status=True)


def must(good, what):
    if not good:
        sys.exit(what)


def asked(operation, *arguments, **named):
    """The parsed answer, which must be a success."""
    answer = operation.sync_detailed(*arguments, client=client, **named)
    must(answer.status_code == 200, f"{operation.__name__}: {answer.status_code} {answer.content[:500]}")
    must(answer.parsed is not None and answer.parsed.ok is True, f"{operation.__name__} was not understood: {answer.content[:500]}")
    return answer.parsed


package = next(one for one in asked(list_packages).data if one.slug == "starter")
must(package.available, "starter is not available anywhere")
location = next(one for one in asked(list_locations).data if one.slug in package.available)
image = next(one for one in asked(list_os_images).data if one.key == "debian-12")
key = asked(list_ssh_keys).data[0]
before = asked(show_balance).data.balance

order = ServerOrder(
    type_=ServiceType.VPS,
    package_slug=package.slug,
    os_image_key=image.key,
    hostname="generated.example.com",
    ssh_key_uuid=str(key.uuid),
    location=location.slug,
)
quote = asked(order_server, body=order, dry_run=True).data
must(isinstance(quote, Quote), f"a dry run answered {quote}")
must(asked(show_balance).data.balance == before, "a dry run moved money")

once = str(uuid.uuid4())
ordered = asked(order_server, body=order, idempotency_key=once)
server = ordered.data
must(isinstance(server, Server), f"an order answered {server}")
again = asked(order_server, body=order, idempotency_key=once)
must(again.data.uuid == server.uuid, "the same order again bought another server")
paid = round(before - asked(show_balance).data.balance, 2)
must(paid == round(quote.total, 2), f"{paid} was paid, {quote.total} was told")

action = ordered.action
for _ in range(20):
    if action.status in ("done", "failed", "superseded"):
        break
    action = asked(show_action, action.uuid, wait=30).data
must(action.status == "done", f"the order's action ended {action.status}")
shown = asked(show_server, server.uuid).data
must(shown.status == "Online" and shown.hostname == order.hostname, f"it reads {shown.status}")
must(shown.ips[0].address == server.ips[0].address, "it has another address than was answered")

gone = asked(destroy_server, server.uuid)
must(gone.message == "Destroy has been queued.", gone.message)
missing = show_server.sync_detailed(server.uuid, client=client)
must(missing.status_code == 404 and missing.parsed.error.code == "not_found", f"after destroy: {missing.status_code}")
print(server.uuid)
