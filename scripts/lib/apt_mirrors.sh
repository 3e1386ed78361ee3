# Reads the Debian mirrors out of the machine's own package sources; sourced, never run.
# shellcheck shell=bash

# Suites whose archive also carries the newer Debian suites; other distributions' suites do not count.
DEBIAN_SUITES=" bullseye bookworm trixie forky sid oldstable stable testing unstable "

# "URI<TAB>keyring or -" of each stanza of a deb822 file that names a Debian suite and component main.
mirrors_of_deb822_file() {
  awk -v known="$DEBIAN_SUITES" '
    function flush(   n, i, list, usable) {
      n = split(field["suites"], list, " ")
      usable = 0
      for (i = 1; i <= n; i++) if (index(known, " " list[i] " ")) usable = 1
      if (usable && (" " field["types"] " ") ~ / deb / && (" " field["components"] " ") ~ / main / &&
          tolower(field["enabled"]) !~ /no/) {
        n = split(field["uris"], list, " ")
        for (i = 1; i <= n; i++) print list[i] "\t" (field["signed-by"] ~ /^\// ? field["signed-by"] : "-")
      }
      delete field; name = ""
    }
    /^#/ { next }
    /^[ \t]*$/ { flush(); next }
    /^[ \t]/ { sub(/^[ \t]+/, ""); if (name != "") field[name] = field[name] " " $0; next }
    { name = tolower($0); sub(/:.*/, "", name)
      value = $0; sub(/^[^:]*:[ \t]*/, "", value); sub(/[ \t]+$/, "", value); field[name] = value }
    END { flush() }
  ' "$1"
}

# The same for a file of "deb [options] URI suite component ..." lines.
mirrors_of_list_file() {
  awk -v known="$DEBIAN_SUITES" '
    $1 == "deb" {
      key = "-"
      line = $0
      if (match(line, /\[[^]]*\]/)) {
        options = substr(line, RSTART + 1, RLENGTH - 2)
        line = substr(line, 1, RSTART - 1) substr(line, RSTART + RLENGTH)
        if (match(options, /signed-by=[^ ]+/)) key = substr(options, RSTART + 10, RLENGTH - 10)
      }
      sub(/#.*/, "", line)
      n = split(line, word, " ")
      for (i = 4; i <= n; i++)
        if (word[i] == "main" && index(known, " " word[3] " ")) { print word[2] "\t" key; break }
    }
  ' "$1"
}

# The Debian mirrors of this machine, one "URI<TAB>keyring or -" a line, without repetition.
debian_mirrors() {
  local apt=$HEXQUANT_SETUP_ROOT/etc/apt file
  {
    for file in "$apt"/sources.list.d/*.sources; do
      if [ -r "$file" ]; then mirrors_of_deb822_file "$file"; fi
    done
    for file in "$apt"/sources.list "$apt"/sources.list.d/*.list; do
      if [ -r "$file" ]; then mirrors_of_list_file "$file"; fi
    done
  } | awk '!seen[$0]++'
}

# The keyring that verifies every Debian suite, else the one of the stanza, else none.
debian_keyring() {
  local stanza_keyring=$1 file
  for file in /usr/share/keyrings/debian-archive-keyring.pgp /usr/share/keyrings/debian-archive-keyring.gpg; do
    if [ -r "$HEXQUANT_SETUP_ROOT$file" ]; then
      printf '%s\n' "$HEXQUANT_SETUP_ROOT$file"
      return 0
    fi
  done
  if [ "$stanza_keyring" != - ]; then printf '%s\n' "$stanza_keyring"; fi
}

# apt-get over a private list in folder $1: neither reads nor changes the machine's package state.
private_apt_get() {
  local dir=$1
  shift
  apt-get -q -o Dir::Etc::sourcelist="$dir/private.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State::lists="$dir/lists" -o Dir::Cache="$dir/cache" -o APT::Sandbox::User=root \
    -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
    -o Acquire::Retries=2 "$@"
}

# Downloads package $4 of suite $3 from mirror $1 (keyring $2) into folder $5; fails where it is not there,
# with the last complaint of apt-get in DOWNLOAD_ERROR.
download_from_suite() {
  local mirror=$1 suite=$3 package=$4 target=$5 keyring dir
  keyring=$(debian_keyring "$2")
  dir=$(mktemp -d "$target/apt.XXXXXX")
  mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
  printf 'deb %s%s %s main\n' "${keyring:+[signed-by=$keyring] }" "$mirror" "$suite" >"$dir/private.list"
  if private_apt_get "$dir" update >"$dir/log" 2>&1 &&
    (cd "$target" && private_apt_get "$dir" download "$package" >>"$dir/log" 2>&1); then
    return 0
  fi
  # shellcheck disable=SC2034
  DOWNLOAD_ERROR=$(grep '^E:' "$dir/log" | head -n 1 || true)
  return 1
}
