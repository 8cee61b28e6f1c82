from __future__ import annotations

from typing import Annotated

import typer

from cli.options import STACK, StackName


def page(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of this machine; any that is free by default.")] = 0,
    browse: Annotated[bool, typer.Option("--open/--no-open", help="Open it in the browser.")] = True,
    stack: StackName = STACK,
) -> None:
    """Open the web page, signed in with your AWS credentials. It ends with Ctrl+C."""
    import contextlib
    import webbrowser

    from cli import output
    from cli import stack as stacks
    from cli.errors import CliError

    found = stacks.find(stack)
    address = stacks.api_address(found)
    if found.parameters.get("OpenIdIssuer"):
        output.tell(f"{address}/")
        if browse:
            webbrowser.open(f"{address}/")
        return
    import boto3

    from cli.loopback import Server

    session = boto3.Session()
    try:
        server = Server(address, session, session.region_name, port)
    except OSError as error:
        raise CliError(
            f"port {port} of this machine cannot be used ({error.strerror}): choose another --port"
        ) from error
    output.say("The page is open while this runs; Ctrl+C ends it. The address contains your key; do not share it.")
    output.tell(server.page)
    if browse:
        webbrowser.open(server.page)
    with contextlib.suppress(KeyboardInterrupt), server:
        server.serve_forever()
