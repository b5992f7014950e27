"""Who may do what: one table from command to the roles that may give it, and the rules about whom it may touch."""

from rostra.domain import commands as c
from rostra.domain.errors import Refused
from rostra.domain.events import Role

HOST: frozenset[Role] = frozenset({"host"})
HOSTS: frozenset[Role] = frozenset({"host", "cohost"})
ANYONE: frozenset[Role] = frozenset({"host", "cohost", "speaker", "listener"})

PERMITTED: dict[type, frozenset[Role]] = {
    c.Open: HOST,
    c.End: HOST,
    c.Cancel: HOST,
    c.UpdateDetails: HOSTS,
    c.RaiseHand: ANYONE,
    c.LowerHand: ANYONE,
    c.ApproveHand: HOSTS,
    c.DeclineHand: HOSTS,
    c.InviteToStage: HOSTS,
    c.AcceptInvite: ANYONE,
    c.DeclineInvite: ANYONE,
    c.StepDown: ANYONE,
    c.MoveToAudience: HOSTS,
    c.SetMic: ANYONE,
    c.Mute: HOSTS,
    c.MuteAll: HOSTS,
    c.Unmute: HOSTS,
    c.AddCohost: HOST,
    c.RemoveCohost: HOST,
    c.TransferHost: HOST,
    c.Remove: HOSTS,
    c.Ban: HOSTS,
    c.Unban: HOSTS,
    c.Warn: HOSTS,
    c.LockStage: HOSTS,
    c.UnlockStage: HOSTS,
    c.Pin: HOSTS,
    c.Unpin: HOSTS,
    c.React: ANYONE,
}

# Commands that make sense before a Space is live; all others are refused with ``not_live``.
BEFORE_LIVE: frozenset[type] = frozenset(
    {c.Open, c.Cancel, c.UpdateDetails, c.AddCohost, c.RemoveCohost, c.TransferHost, c.Remove, c.Ban, c.Unban, c.Pin, c.Unpin, c.SetMic}
)


def require_permission(command: c.Command, role: Role) -> None:
    """Refuse ``command`` unless ``role`` may give it."""
    if role not in PERMITTED.get(type(command), frozenset()):
        raise Refused("not_permitted", "your role here does not allow this")


def require_power_over(actor: Role, target: Role) -> None:
    """Refuse an act of moderation on an equal or a superior: co-hosts touch neither the host nor each other."""
    if target == "host" or (target == "cohost" and actor != "host"):
        raise Refused("not_permitted", "you cannot do this to a host or co-host")
