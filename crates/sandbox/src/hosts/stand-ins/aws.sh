#!/bin/sh
# aws: the real one, with the sandbox's instance metadata service.
PATH=$SANDBOX_PATH AWS_EC2_METADATA_SERVICE_ENDPOINT=$SANDBOX_HOST/imds exec "$SANDBOX_AWS" "$@"
