//! The end of an invocation's time: a pass stops between two steps before Lambda ends the process.
//!
//! Nothing is lost by being ended in the midst of a step, since the next pass goes on from any state; but a pass that stops by itself
//! knows what it left, and gives the lease back.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::time::Duration;

use regcred_core::report::{Failure, FailureKind};
use regcred_core::stop::StopReason;
use tokio::time::{Instant, sleep_until};

use super::error::{ErrorType, LambdaError};
use crate::stopping::{StopSwitch, Urgency};

/// This long before the end nothing more is begun: an agent restarts in 10 to 60 seconds, and is then seen connected twice.
const TO_FINISH: Duration = Duration::from_mins(2);
/// This long before it, what is in flight is left to itself: one call of AWS's is 10 seconds at most a try.
const TO_REPORT: Duration = Duration::from_secs(15);
/// This long before it, the work is dropped: an error that is told is better than none.
const TO_TELL: Duration = Duration::from_secs(1);

/// What of a short time the first of these is, the second, and the third.
const SHARES: [u32; 3] = [5, 20, 50];

/// When what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moments {
    /// After this long nothing more is begun.
    begin_nothing: Duration,
    end: Duration,
    drop: Duration,
}

impl Moments {
    fn of(left: Duration) -> Self {
        let before = |margin: Duration, share: u32| left.saturating_sub(margin.min(left / share));
        let [finish, report, tell] = SHARES;
        Self {
            begin_nothing: before(TO_FINISH, finish),
            end: before(TO_REPORT, report),
            drop: before(TO_TELL, tell),
        }
    }
}

/// What `work` comes to, which looks at `stop` between its steps. `left` is the time until Lambda ends the process.
pub(super) async fn within<T>(
    left: Duration,
    stop: &StopSwitch,
    work: impl Future<Output = Result<T, LambdaError>>,
) -> Result<T, LambdaError> {
    let began = Instant::now();
    let Moments { begin_nothing, end, drop } = Moments::of(left);
    let brake = async {
        sleep_until(began + begin_nothing).await;
        tracing::info!("the time of this invocation is nearly over: nothing more is begun");
        stop.ask(StopReason::Deadline, Urgency::AfterStep);
        sleep_until(began + end).await;
        stop.ask(StopReason::Deadline, Urgency::AtOnce);
        pending::<Infallible>().await
    };
    tokio::select! {
        ended = work => ended,
        never = brake => match never {},
        () = sleep_until(began + drop) => Err(dropped()),
    }
}

fn dropped() -> LambdaError {
    let failure = Failure::new(
        FailureKind::Stopped,
        "the pass did not end in the time that Lambda gives it",
        "a step took longer than was left; hosts that were sent to go on by themselves",
        "nothing for once: the next pass goes on. If it persists, give the function more time, up to 900 seconds",
    );
    LambdaError::new(ErrorType::Deadline, &failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_time_keeps_the_margins_and_a_short_one_a_share() {
        let seconds = Duration::from_secs;
        let moments = Moments { begin_nothing: seconds(780), end: seconds(885), drop: seconds(899) };
        assert_eq!(Moments::of(seconds(900)), moments);
        let moments = Moments {
            begin_nothing: seconds(8),
            end: Duration::from_millis(9_500),
            drop: Duration::from_millis(9_800),
        };
        assert_eq!(Moments::of(seconds(10)), moments);
        assert_eq!(Moments::of(Duration::ZERO).drop, Duration::ZERO);
    }
}
