//! One total mapping of the statuses of SSM Run Command.
