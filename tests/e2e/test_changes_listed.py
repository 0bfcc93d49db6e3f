"""`scim-relay changes list` finds by kind, resource and age."""

import asyncio

from support.relays import relay_for, typed


async def test_the_same_is_typed(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, answer={"wait": "0s"}) as relay:
        unlimited.pause()
        await relay.idp.create_user("ada@x.org")
        await relay.idp.create_group("Crew")
        shown = await asyncio.gather(
            *(
                typed(tmp_path, "changes", "list", *words)
                for words in (("--kind", "Group"), ("--resource", "ada@x.org"), ("--older", "1h"))
            )
        )

    assert [code for code, _ in shown] == [0, 0, 0]
    assert [("ada@x.org" in text, "Crew" in text) for _, text in shown] == [
        (False, True),
        (True, False),
        (False, False),
    ]
