#!/bin/sh
# curl: the real one. Only the two addresses that exist on a container instance alone are the sandbox's: the agent's
# introspection (agent/handlers/introspection, port 51678 of localhost) and the instance metadata service.
for argument do
    shift
    case $argument in
        http://localhost:51678/*) argument=$SANDBOX_HOST/introspection/${argument#http://localhost:51678/} ;;
        http://169.254.169.254/*) argument=$SANDBOX_HOST/imds/${argument#http://169.254.169.254/} ;;
    esac
    set -- "$@" "$argument"
done
exec "$SANDBOX_CURL" "$@"
