# shellcheck shell=bash
# Sourced by the recipes: variables that a person sets, checked before anything is made.
RECIPE=${0##*/} CALLER=$PWD varied=

help() { # the head of the recipe, without its first line
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

die() { echo "$RECIPE: $*" >&2; exit 2; }

vary() { # NAME DEFAULT: a variable that is part of the run's name if it has another value
  local name=$1 value=${!1:-}
  if [ -n "$value" ] && [ "$value" != "$2" ]; then
    value=${value##*/}
    varied+=-$(tr '[:upper:] :' '[:lower:]--' <<<"$name-${value%.*}")
  fi
  printf -v "$name" %s "${!name:-$2}"
}

absolute() { # NAME...: a variable that holds a path (it has a / or a .) is one from the caller's folder
  local name
  for name; do
    case ${!name:-} in '' | /* | -*) ;; */* | *.*) printf -v "$name" %s "$CALLER/${!name#./}" ;; esac
  done
}

numbers() { # NAME...: each variable holds a whole number of at least 1
  local name
  for name; do
    [[ ${!name} =~ ^[1-9][0-9]*$ ]] || die "$name=${!name}: a whole number of at least 1"
  done
}

opens() { # NAME STAGE...: what a variable names can be opened; else one line, and the end
  local name=$1 said
  shift
  said=$(swr1 "$@" --dry-run </dev/null 2>&1 >/dev/null) && return
  said=$(tail -n 1 <<<"$said")
  die "$name=${!name}: ${said#*error: }"
}
