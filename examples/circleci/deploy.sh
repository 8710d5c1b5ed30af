#!/bin/sh
# Stands for what you deploy with.
set -eu
echo "deploying with a DATABASE_URL of ${#DATABASE_URL} characters"
