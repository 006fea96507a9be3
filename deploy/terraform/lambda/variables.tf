variable "zip" {
  description = "The path of what package/run built"
  type        = string
}

variable "architecture" {
  description = "What the zip was built for: x86_64, or arm64 for one of aarch64"
  type        = string
  default     = "x86_64"
}

variable "controller_role" {
  description = "The name of the role that the bootstrap module made with runs_on = \"lambda\", such as regcred-eu-west-1"
  type        = string
}

variable "config_bucket" {
  description = "The bucket of the configuration. Who may write it decides what regcred does: not one that hosts or builds write to"
  type        = string
}

variable "config_key" {
  description = "The key of the configuration"
  type        = string
  default     = "config/regcred.yaml"
}

variable "schedule" {
  description = "When a pass begins without an event; rate(…) or cron(…)"
  type        = string
  default     = "rate(15 minutes)"
}

variable "schedule_time_zone" {
  description = "The time zone of the schedule"
  type        = string
  default     = "UTC"
}

variable "maximum_event_age" {
  description = "Seconds after which an event is too old to begin a pass: the schedule's period, after which another tick has"
  type        = number
  default     = 900
}

variable "source_secret_prefix" {
  description = "As of the bootstrap module: a changed secret below it begins a pass at once"
  type        = string
  default     = "regcred/sources/"
}

variable "cluster_arns" {
  description = "The clusters of the fleets, as a pattern of their ARNs: a host that joins one begins a pass"
  type        = string
  default     = "arn:*:ecs:*:cluster/*"
}

variable "log_days" {
  description = "How long the log is kept"
  type        = number
  default     = 90
}

variable "alarm_topic" {
  description = "The ARN of the SNS topic that alarms go to; null: none is told"
  type        = string
  default     = null
}
