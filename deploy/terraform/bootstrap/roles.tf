resource "aws_iam_policy" "controller" {
  name        = "regcred-${local.region}"
  description = "What regcred may do in this Region"
  policy      = templatefile("${path.module}/../../iam/controller.json", local.names)
}

resource "aws_iam_policy" "instance" {
  name        = "regcred-instance-${local.region}"
  description = "For the roles of container instances, beside AmazonSSMManagedInstanceCore: to fetch the ecs.config"
  policy      = templatefile("${path.module}/../../iam/instance.json", local.names)
}

resource "aws_iam_policy" "task_execution" {
  name        = "regcred-task-execution-${local.region}"
  description = "For task execution roles: to read the secrets that repositoryCredentials name"
  policy      = templatefile("${path.module}/../../iam/task-execution.json", local.names)
}

data "aws_iam_policy_document" "trust" {
  dynamic "statement" {
    for_each = var.runs_on == "hub" ? [1] : []

    content {
      sid     = "TheHubWithTheExternalId"
      actions = ["sts:AssumeRole"]

      principals {
        type        = "AWS"
        identifiers = [var.hub_role]
      }

      condition {
        test     = "StringEquals"
        variable = "sts:ExternalId"
        values   = [var.external_id]
      }
    }
  }

  dynamic "statement" {
    for_each = var.runs_on == "hub" ? [] : [1]

    content {
      sid     = "ThePlatformOfThisAccount"
      actions = ["sts:AssumeRole"]

      principals {
        type = "Service"
        identifiers = [{
          lambda = "lambda.amazonaws.com"
          ecs    = "ecs-tasks.amazonaws.com"
          ec2    = "ec2.amazonaws.com"
        }[var.runs_on]]
      }

      # ECS names the account that it acts for; Lambda and EC2 name none.
      condition {
        test     = "StringEqualsIfExists"
        variable = "aws:SourceAccount"
        values   = [local.account]
      }
    }
  }
}

resource "aws_iam_role" "controller" {
  name               = "regcred-${local.region}"
  description        = "regcred itself"
  assume_role_policy = data.aws_iam_policy_document.trust.json

  lifecycle {
    precondition {
      condition     = var.runs_on != "hub" || (var.hub_role != null && var.external_id != null)
      error_message = "runs_on = \"hub\" needs hub_role and external_id: whose role may take on the one of this account."
    }
  }
}

resource "aws_iam_role_policy_attachment" "controller" {
  role       = aws_iam_role.controller.name
  policy_arn = aws_iam_policy.controller.arn
}

data "aws_iam_policy_document" "locations" {
  statement {
    sid       = "TakeOnTheRoles"
    actions   = ["sts:AssumeRole"]
    resources = var.location_roles
  }
}

resource "aws_iam_role_policy" "locations" {
  count  = length(var.location_roles) > 0 ? 1 : 0
  name   = "regcred-locations"
  role   = aws_iam_role.controller.name
  policy = data.aws_iam_policy_document.locations.json
}
