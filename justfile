# Short names for the scripts that do the work; each runs as well without `just`.

# what there is
default:
    @just --list

# the zip for AWS Lambda
package arch=arch():
    package/run {{arch}}

# all tests, or those named
test *arguments:
    tests/run {{arguments}}

# all that has to hold before a change lands
ci:
    bash .ci/run
