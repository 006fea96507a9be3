# regcred as a Lambda, as deploy/lambda/template.yaml has it: the function, its schedule, its events, its log and its alarms.
#
#   module "regcred_lambda" {
#     source          = "git::https://…/regcred.git//deploy/terraform/lambda?ref=…"
#     zip             = "target/regcred-lambda-x86_64.zip"
#     controller_role = "regcred-eu-west-1"
#     config_bucket   = "acme-regcred-config"
#   }
terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.26"
    }
  }
}

data "aws_caller_identity" "here" {}

data "aws_partition" "here" {}

locals {
  iam  = "arn:${data.aws_partition.here.partition}:iam::${data.aws_caller_identity.here.account_id}"
  s3   = "arn:${data.aws_partition.here.partition}:s3:::${var.config_bucket}"
  told = var.alarm_topic == null ? [] : [var.alarm_topic]
}

resource "aws_lambda_function" "regcred" {
  function_name = "regcred"
  description   = "Rotation and sync of registry credentials for Amazon ECS"
  role          = "${local.iam}:role/${var.controller_role}"
  runtime       = "provided.al2023"
  handler       = "bootstrap"
  architectures = [var.architecture]
  memory_size   = 256
  timeout       = 900

  filename         = var.zip
  source_code_hash = filebase64sha256(var.zip)

  # A second pass beside the first would do nothing useful.
  reserved_concurrent_executions = 1

  environment {
    variables = {
      REGCRED_CONFIG = "s3://${var.config_bucket}/${var.config_key}"
    }
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.regcred.name
  }

  depends_on = [aws_iam_role_policy.lambda]
}

resource "aws_lambda_function_event_invoke_config" "regcred" {
  function_name = aws_lambda_function.regcred.function_name

  # The next tick tries again.
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = var.maximum_event_age

  destination_config {
    on_failure {
      destination = aws_sqs_queue.failed.arn
    }
  }
}

resource "aws_cloudwatch_log_group" "regcred" {
  name              = "/aws/lambda/regcred"
  retention_in_days = var.log_days
}

# Ticks that could not be delivered, and events whose pass failed: to be read by a person, and gone after two weeks.
resource "aws_sqs_queue" "failed" {
  name                      = "regcred-failed"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

data "aws_iam_policy_document" "lambda" {
  statement {
    sid       = "ReadTheConfiguration"
    actions   = ["s3:GetObject"]
    resources = ["${local.s3}/${var.config_key}"]
  }

  statement {
    sid       = "TellAMissingConfiguration"
    actions   = ["s3:ListBucket"]
    resources = [local.s3]
  }

  statement {
    sid       = "WriteTheLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.regcred.arn}:*"]
  }

  statement {
    sid       = "KeepWhatFailed"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.failed.arn]
  }
}

resource "aws_iam_role_policy" "lambda" {
  name   = "regcred-lambda"
  role   = var.controller_role
  policy = data.aws_iam_policy_document.lambda.json
}
