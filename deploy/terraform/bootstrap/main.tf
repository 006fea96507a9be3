data "aws_caller_identity" "here" {}

data "aws_partition" "here" {}

data "aws_region" "here" {}

locals {
  account = data.aws_caller_identity.here.account_id
  region  = data.aws_region.here.name

  # The variables of deploy/iam/*.json.
  names = {
    account                 = local.account
    bucket                  = aws_s3_bucket.regcred.bucket
    clusters                = var.clusters
    dns_suffix              = data.aws_partition.here.dns_suffix
    document                = var.document_name
    ecs_config_prefix       = var.ecs_config_prefix
    key_alias               = var.key_alias
    partition               = data.aws_partition.here.partition
    region                  = local.region
    secret_prefix           = var.secret_prefix
    source_parameter_prefix = var.source_parameter_prefix
    source_secret_prefix    = var.source_secret_prefix
    state_prefix            = var.state_prefix
  }
}

resource "aws_kms_key" "regcred" {
  description         = "Registry credentials in Secrets Manager and in ecs.config objects"
  enable_key_rotation = true
  policy              = templatefile("${path.module}/../../iam/key.json", local.names)

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "regcred" {
  name          = var.key_alias
  target_key_id = aws_kms_key.regcred.key_id
}

resource "aws_s3_bucket" "regcred" {
  bucket = coalesce(var.bucket_name, "regcred-${local.account}-${local.region}")

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "regcred" {
  bucket = aws_s3_bucket.regcred.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "regcred" {
  bucket                  = aws_s3_bucket.regcred.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "regcred" {
  bucket = aws_s3_bucket.regcred.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "regcred" {
  bucket = aws_s3_bucket.regcred.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.regcred.arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "regcred" {
  bucket = aws_s3_bucket_versioning.regcred.bucket

  rule {
    id     = "OldPasswordsGo"
    status = "Enabled"
    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.old_version_days
    }

    expiration {
      expired_object_delete_marker = true
    }
  }

  rule {
    id     = "HalfUploadsGo"
    status = "Enabled"
    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_policy" "regcred" {
  bucket = aws_s3_bucket.regcred.id
  policy = templatefile("${path.module}/../../iam/bucket.json", local.names)

  # S3 refuses two changes of a bucket's access at once.
  depends_on = [aws_s3_bucket_public_access_block.regcred]
}

# A changed script becomes a version of its own, and the default one. regcred sends to no other version than the one that it carries.
resource "aws_ssm_document" "refresh" {
  name            = var.document_name
  document_type   = "Command"
  document_format = "JSON"
  content         = file("${path.module}/../../ssm/regcred-refresh.json")
}
