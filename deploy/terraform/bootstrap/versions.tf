# What regcred needs of an account and a Region, as deploy/cloudformation/bootstrap.yaml has it: the same resources under the same
# names, of the same policies and the same document.
#
#   module "regcred" {
#     source      = "git::https://…/regcred.git//deploy/terraform/bootstrap?ref=…"
#     runs_on     = "lambda"
#     bucket_name = "acme-regcred"
#   }
terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}
