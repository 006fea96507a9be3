//! Container instances as regcred sees them: identity, platform, recorded revision.
