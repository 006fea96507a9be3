variable "bucket_name" {
  description = "state.bucket and ecs_configs.*.bucket; null: regcred-ACCOUNT-REGION"
  type        = string
  default     = null
}

variable "state_prefix" {
  description = "state.prefix: regcred's own objects, which no host may read"
  type        = string
  default     = "regcred/"

  validation {
    condition     = endswith(var.state_prefix, "/")
    error_message = "It ends with a slash."
  }
}

variable "ecs_config_prefix" {
  description = "What ecs_configs.*.key begin with. Not state_prefix, nor one of its folders: hosts may read what is here"
  type        = string
  default     = "ecs/"

  validation {
    condition     = endswith(var.ecs_config_prefix, "/")
    error_message = "It ends with a slash."
  }
}

variable "secret_prefix" {
  description = "What registries.*.secret.name begin with"
  type        = string
  default     = "ecs/registry/"
}

variable "source_secret_prefix" {
  description = "What the secrets begin with that regcred only reads (registries.*.source.secrets_manager)"
  type        = string
  default     = "regcred/sources/"
}

variable "source_parameter_prefix" {
  description = "What the parameters begin with that regcred only reads (registries.*.source.ssm_parameter)"
  type        = string
  default     = "/regcred/sources/"
}

variable "clusters" {
  description = "fleets.*.clusters, as one pattern"
  type        = string
  default     = "*"
}

variable "document_name" {
  description = "fleets.*.document"
  type        = string
  default     = "regcred-refresh"
}

variable "key_alias" {
  description = "kms_key of secrets and ecs_configs"
  type        = string
  default     = "alias/regcred"
}

variable "old_version_days" {
  description = "After how many days old versions of objects go. They are old passwords; regcred itself reads none"
  type        = number
  default     = 7
}

variable "runs_on" {
  description = "Where regcred runs that takes on the controller role: lambda, ecs or ec2 of this account; or hub, for all other accounts"
  type        = string
  default     = "hub"

  validation {
    condition     = contains(["lambda", "ecs", "ec2", "hub"], var.runs_on)
    error_message = "One of lambda, ecs, ec2 and hub."
  }
}

variable "hub_role" {
  description = "For runs_on = \"hub\": the ARN of the controller role there"
  type        = string
  default     = null
}

variable "external_id" {
  description = "For runs_on = \"hub\": locations.*.external_id. No secret"
  type        = string
  default     = null
}

variable "location_roles" {
  description = "For the hub: locations.*.role_arn, the controller roles of the other accounts and Regions"
  type        = list(string)
  default     = []
}
