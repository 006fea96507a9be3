# Their names are those of docs/RUNBOOK.md.

resource "aws_cloudwatch_metric_alarm" "pass_fails" {
  alarm_name          = "regcred-pass-fails"
  alarm_description   = "Two passes failed within an hour: docs/RUNBOOK.md, regcred-pass-fails"
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = aws_lambda_function.regcred.function_name }
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = 1
  threshold           = 2
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.told
  ok_actions          = local.told
}

resource "aws_cloudwatch_metric_alarm" "nothing_runs" {
  alarm_name          = "regcred-nothing-runs"
  alarm_description   = "No pass began in two hours: docs/RUNBOOK.md, regcred-nothing-runs"
  namespace           = "AWS/Lambda"
  metric_name         = "Invocations"
  dimensions          = { FunctionName = aws_lambda_function.regcred.function_name }
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = 2
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = local.told
  ok_actions          = local.told
}

resource "aws_cloudwatch_metric_alarm" "events_are_lost" {
  alarm_name          = "regcred-events-are-lost"
  alarm_description   = "A tick was not delivered, or an event's pass failed: docs/RUNBOOK.md, regcred-events-are-lost"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.failed.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.told
  ok_actions          = local.told
}
