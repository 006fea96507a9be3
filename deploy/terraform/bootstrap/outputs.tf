output "bucket" {
  description = "state.bucket, ecs_configs.*.bucket"
  value       = aws_s3_bucket.regcred.bucket
}

output "key_arn" {
  description = "The key that key_alias names"
  value       = aws_kms_key.regcred.arn
}

output "document" {
  description = "fleets.*.document"
  value       = aws_ssm_document.refresh.name
}

output "controller_role" {
  description = "locations.*.role_arn, where regcred runs in another account"
  value       = aws_iam_role.controller.arn
}

output "instance_policy" {
  description = "To be attached to the roles of the container instances"
  value       = aws_iam_policy.instance.arn
}

output "task_execution_policy" {
  description = "To be attached to the task execution roles"
  value       = aws_iam_policy.task_execution.arn
}
