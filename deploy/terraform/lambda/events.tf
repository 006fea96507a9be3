# What begins a pass: a schedule, a changed source, a host that joined.

data "aws_iam_policy_document" "scheduler_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.here.account_id]
    }
  }
}

data "aws_iam_policy_document" "scheduler" {
  statement {
    sid       = "BeginAPass"
    actions   = ["lambda:InvokeFunction"]
    resources = [aws_lambda_function.regcred.arn]
  }

  statement {
    sid       = "KeepWhatFailed"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.failed.arn]
  }
}

resource "aws_iam_role" "scheduler" {
  name_prefix        = "regcred-scheduler-"
  description        = "EventBridge Scheduler, to begin a pass and nothing else"
  assume_role_policy = data.aws_iam_policy_document.scheduler_trust.json
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "begin-a-pass"
  role   = aws_iam_role.scheduler.name
  policy = data.aws_iam_policy_document.scheduler.json
}

resource "aws_scheduler_schedule" "tick" {
  name                         = "regcred"
  description                  = "A pass of regcred"
  schedule_expression          = var.schedule
  schedule_expression_timezone = var.schedule_time_zone

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.regcred.arn
    role_arn = aws_iam_role.scheduler.arn
    input    = "{}"

    retry_policy {
      maximum_retry_attempts       = 2
      maximum_event_age_in_seconds = var.maximum_event_age
    }

    dead_letter_config {
      arn = aws_sqs_queue.failed.arn
    }
  }
}

locals {
  rules = {
    regcred-source-changed = {
      source      = ["aws.secretsmanager"]
      detail-type = ["Secret Label Updated"]
      detail = {
        labelUpdated = ["AWSCURRENT"]
        name         = [{ prefix = var.source_secret_prefix }]
      }
    }

    # Every task that starts or stops makes such an event of its host. The counter goes up by one each time, so that a low one is a
    # host that has just joined; one that is missed by this waits for the schedule.
    regcred-host-joined = {
      source      = ["aws.ecs"]
      detail-type = ["ECS Container Instance State Change"]
      detail = {
        clusterArn     = [{ wildcard = var.cluster_arns }]
        agentConnected = [true]
        status         = ["ACTIVE"]
        version        = [{ numeric = ["<=", 10] }]
      }
    }
  }
}

resource "aws_cloudwatch_event_rule" "regcred" {
  for_each      = local.rules
  name          = each.key
  event_pattern = jsonencode(each.value)
}

resource "aws_cloudwatch_event_target" "regcred" {
  for_each = local.rules
  rule     = aws_cloudwatch_event_rule.regcred[each.key].name
  arn      = aws_lambda_function.regcred.arn

  retry_policy {
    maximum_retry_attempts       = 2
    maximum_event_age_in_seconds = var.maximum_event_age
  }
}

resource "aws_lambda_permission" "regcred" {
  for_each      = local.rules
  statement_id  = each.key
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.regcred.function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.regcred[each.key].arn
}
