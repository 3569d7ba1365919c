"""Whatever changes in whatever order, a receiver ends up with what there is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from xmppconf_focus.signalling import Signalling

from xmppconf.ids import EndpointId
from xmppconf.jingle import Action
from xmppconf.media import MediaType, Ssrc
from xmppconf.sources import OwnedSources, Source, SourceSet

OWNERS = [EndpointId(name) for name in ("ann", "bob", "cid")]


def source_set(numbers: frozenset[int]) -> SourceSet:
    return SourceSet(tuple(Source(Ssrc(n), MediaType.VIDEO) for n in sorted(numbers)))


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(OWNERS), st.frozensets(st.integers(1, 6)).map(source_set)
        ),
        st.just("take"),
    ),
    max_size=30,
)


@given(STEPS)
def test_a_receiver_that_applies_what_it_is_told_knows_everything(
    steps: list[tuple[EndpointId, SourceSet] | str],
) -> None:
    signalling = Signalling()
    told: dict[EndpointId, set[Source]] = {owner: set() for owner in OWNERS}
    wanted: OwnedSources = {}

    def apply() -> None:
        actions = signalling.take()
        assert [a for a, _ in actions] == sorted((a for a, _ in actions), reverse=True)
        for action, sources in actions:
            for owner, changed in sources.items():
                if action is Action.SOURCE_ADD:
                    assert told[owner].isdisjoint(changed.sources)
                    told[owner].update(changed.sources)
                else:
                    assert told[owner].issuperset(changed.sources)
                    told[owner].difference_update(changed.sources)

    for step in steps:
        if isinstance(step, str):
            apply()
        else:
            wanted[step[0]] = step[1]
            signalling.changed(*step, due=0.0)
    apply()
    for owner in OWNERS:
        assert told[owner] == set(wanted.get(owner, SourceSet()).sources)
    assert signalling.take() == []


def test_many_sources_are_told_in_parts() -> None:
    """Servers end a component's stream for a stanza that is too large."""
    everybody = {
        EndpointId(f"e{n}"): source_set(frozenset(range(20 * n + 1, 20 * n + 21)))
        for n in range(35)
    }
    signalling = Signalling()
    parts = [signalling.offered(everybody)]
    for action, sources in signalling.take():
        assert action is Action.SOURCE_ADD
        parts.append(sources)
    sizes = [sum(len(owned.sources) for owned in part.values()) for part in parts]
    assert sizes == [200, 200, 200, 100]
    assert {owner: owned for part in parts for owner, owned in part.items()} == everybody
    assert signalling.take() == []


def test_what_is_added_and_removed_meanwhile_is_not_told() -> None:
    signalling = Signalling()
    signalling.changed(OWNERS[0], source_set(frozenset({1})), due=5.0)
    signalling.changed(OWNERS[0], SourceSet(), due=6.0)
    assert signalling.due == 5.0
    assert signalling.take() == []
    assert signalling.due is None
