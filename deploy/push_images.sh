#!/usr/bin/env bash
# Push many images to the hub with one call; needs skopeo, podman or docker. See --help.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: push_images.sh --to HUB[/NAMESPACE] [options] IMAGE…
       push_images.sh --to HUB[/NAMESPACE] [options] --list FILE

Pushes each IMAGE to the hub, says how far it is, tries again what failed, and sums up.

An IMAGE is
  app:1.0, team/app, host/team/app:1.0   an image of docker or podman; with skopeo one of a registry
  image.tar, image.tar.gz                what `docker save` wrote; all its names are pushed
  folder                                 an OCI layout; all its tags are pushed
and any of these with =NAME[:TAG] behind it, to be called that on the hub. The host of a name is left
out there; with NAMESPACE all but its last part is. A tar or layout without names is called as its file.

  --to HUB[/NAMESPACE]  where to push: host, or host:port, and the namespace
  --list FILE           read more images from a file, one a line; # begins a comment, - is the input
  --tool TOOL           docker, podman or skopeo; else the first that is here and can do it
  --plain-http          the hub has no TLS (docker: only a hub on this machine, or in its settings)
  --plain-http-source   with skopeo: neither has the registry that images come from
  --all                 with skopeo: every platform of an image, not only this machine's
  --retries N           how often to try again, 4 if not given; the wait doubles from one second on
  --dry-run             say what would be pushed
  --help                this text

Log in first: docker login HUB, podman login HUB or skopeo login HUB. What is refused is not tried again.
Exit code: 0 all were pushed, 1 some were not, 2 the call was wrong.
TEXT
}

fail() {
  printf 'push_images.sh: %s\n' "$1" >&2
  exit 2
}

to='' tool='' retries=4 dry='' plain='' plain_source='' all=''
images=()
read_list() {
  local line
  while IFS= read -r line || [[ -n $line ]]; do
    line=${line%%#*}
    line=${line#"${line%%[![:space:]]*}"}
    line=${line%"${line##*[![:space:]]}"}
    [[ -z $line ]] || images+=("$line")
  done
}
while (($#)); do
  case $1 in
    --to | --list | --tool | --retries)
      (($# > 1)) || fail "$1 needs a value; see --help"
      case $1 in
        --to) to=${2%/} ;;
        --tool) tool=$2 ;;
        --retries) retries=$2 ;;
        --list)
          if [[ $2 == - ]]; then
            read_list
          else
            [[ -r $2 ]] || fail "the list $2 cannot be read"
            read_list <"$2"
          fi
          ;;
      esac
      shift
      ;;
    --plain-http) plain=yes ;;
    --plain-http-source) plain_source=yes ;;
    --all) all=yes ;;
    --dry-run) dry=yes ;;
    --help | -h) usage && exit 0 ;;
    --) shift && images+=("$@") && break ;;
    -*) fail "$1 is no option; see --help" ;;
    *) images+=("$1") ;;
  esac
  shift
done
[[ -n $to ]] || fail 'say where to push with --to HUB/NAMESPACE; see --help'
((${#images[@]})) || fail 'name at least one image; see --help'
[[ $retries =~ ^[0-9]{1,2}$ ]] || fail '--retries is a number from 0 to 99'
hub=${to%%/*} space=''
[[ $to == */* ]] && space=${to#*/}

has() { command -v "$1" >/dev/null 2>&1; }
case $tool in
  '') ;;
  docker | podman | skopeo) has "$tool" || fail "$tool is not installed" ;;
  *) fail '--tool is docker, podman or skopeo' ;;
esac

# The tool for an image of a kind (name, tar, layout): what was asked for, else the first that can.
tool_for() {
  local order candidate
  case $1 in
    name) order='docker podman skopeo' ;;
    tar) order='skopeo podman docker' ;;
    layout) order='skopeo podman' ;;
  esac
  for candidate in ${tool:-$order}; do
    if has "$candidate" && [[ " $order " == *" $candidate "* ]]; then
      printf '%s' "$candidate"
      return
    fi
  done
}

# What NAME is called on the hub, as HUB/PATH:TAG.
target_of() {
  local name=$1 tag=latest first
  name=${name%%@*}
  if [[ ${name##*/} == *:* ]]; then
    tag=${name##*:} name=${name%:*}
  fi
  first=${name%%/*}
  if [[ $name == */* && ($first == *.* || $first == *:* || $first == localhost) ]]; then
    name=${name#*/}
  fi
  [[ -z $space ]] || name=$space/${name##*/}
  printf '%s/%s:%s' "$hub" "$name" "$tag"
}

# The strings of a JSON list or the values of a key, one a line; both tools for names only.
names_in_tar() {
  tar -xOf "$1" manifest.json 2>/dev/null | tr -d '\n' |
    grep -oE '"RepoTags" *: *\[[^]]*\]' | sed 's/^"RepoTags" *: *//' | grep -oE '"[^"]+"' | tr -d '"' || true
}
tags_in_layout() {
  tr -d '\n' <"$1/index.json" |
    grep -oE '"org.opencontainers.image.ref.name" *: *"[^"]+"' | sed 's/.*: *"\(.*\)"/\1/' || true
}
plain_name() {
  local base=${1##*/}
  base=${base%.gz} base=${base%.tgz} base=${base%.tar}
  base=$(printf '%s' "$base" | tr '[:upper:]' '[:lower:]' | sed -E 's/[^a-z0-9]+/-/g; s/^-+|-+$//g')
  printf '%s' "${base:-image}"
}

# Work to do, one line each: kind, source, name inside the source, target.
work=()
add() { work+=("$1"$'\t'"$2"$'\t'"$3"$'\t'"$4"); }
plan() {
  local item=$1 given='' name found tag
  if [[ ! -e $item && $item == *=* ]]; then
    given=${item##*=} item=${item%=*}
  fi
  if [[ -f $item ]]; then
    found=$(names_in_tar "$item")
    if [[ -n $given || -z $found ]]; then
      name=$(head -n 1 <<<"$found")
      add tar "$item" "$name" "$(target_of "${given:-$(plain_name "$item")}")"
      return
    fi
    while IFS= read -r name; do
      add tar "$item" "$name" "$(target_of "$name")"
    done <<<"$found"
  elif [[ -d $item ]]; then
    [[ -r $item/index.json ]] || fail "$item is a folder and no OCI layout"
    found=$(tags_in_layout "${item%/}")
    name=$(plain_name "${item%/}")
    if [[ -z $found ]]; then
      add layout "${item%/}" '' "$(target_of "${given:-$name}")"
    elif [[ -n $given && ${given##*/} == *:* ]]; then
      add layout "${item%/}" "$(head -n 1 <<<"$found")" "$(target_of "$given")"
    else
      while IFS= read -r tag; do
        case $tag in
          */*) name=${tag%:*} ;; # some tools write whole names
        esac
        add layout "${item%/}" "$tag" "$(target_of "${given:-$name}:${tag##*:}")"
      done <<<"$found"
    fi
  else
    case $item in
      *.tar | *.tar.gz | *.tgz | ./* | /*) fail "there is no file $item" ;;
    esac
    add name "$item" '' "$(target_of "${given:-$item}")"
  fi
}
for image in "${images[@]}"; do plan "$image"; done

skopeo_push() {
  local options=(--insecure-policy copy --quiet)
  [[ -z $all && $1 != oci:* ]] || options+=(--all)
  [[ -z $plain ]] || options+=(--dest-tls-verify=false)
  [[ -z $plain_source || $1 != docker://* ]] || options+=(--src-tls-verify=false)
  skopeo "${options[@]}" "$1" "docker://$2"
}
podman_push() {
  local options=(push --quiet)
  [[ -z $plain ]] || options+=(--tls-verify=false)
  podman "${options[@]}" "$1" "docker://$2"
}
docker_push() {
  local code=0
  docker tag "$1" "$2" || return
  docker push --quiet "$2" || code=$?
  [[ $1 == "$2" ]] || docker rmi "$2" >/dev/null 2>&1 || true # the other name was only for the push
  return "$code"
}
# A tar without gzip, which some versions of skopeo stumble over.
unpacked() {
  if [[ $(head -c 2 "$1" | od -An -tx1 | tr -d ' \n') != 1f8b ]]; then
    printf '%s' "$1"
    return
  fi
  gzip -dc "$1" >"$folder/image.tar"
  printf '%s' "$folder/image.tar"
}
loaded_name() { sed -nE 's/^Loaded image(\(s\)| ID)?: *//p' | head -n 1; }

push_one() {
  local kind=$1 source=$2 inner=$3 target=$4 with name
  with=$(tool_for "$kind")
  case $with:$kind in
    skopeo:name) skopeo_push "docker://$source" "$target" ;;
    skopeo:tar) skopeo_push "docker-archive:$(unpacked "$source")${inner:+:$inner}" "$target" ;;
    skopeo:layout) skopeo_push "oci:$source${inner:+:$inner}" "$target" ;;
    podman:name) podman_push "$source" "$target" ;;
    podman:layout)
      name=$(podman pull --quiet "oci:$source${inner:+:$inner}") && podman_push "$name" "$target"
      ;;
    podman:tar | docker:tar)
      name=$("$with" load --quiet --input "$source") || return
      name=${inner:-$(loaded_name <<<"$name")}
      "${with}_push" "$name" "$target"
      ;;
    docker:name) docker_push "$source" "$target" ;;
    *)
      printf '%s needs %s\n' "$source" "$([[ $kind == layout ]] && echo 'skopeo or podman' || echo 'skopeo, podman or docker')"
      return 1
      ;;
  esac
}

refused='denied|unauthorized|authentication required|requested access|forbidden|immutable|no such image|not known|no such file|invalid reference'
folder=$(mktemp -d)
log=$folder/log
trap 'rm -rf "$folder"' EXIT
failed=() number=0 began=$SECONDS
for line in "${work[@]}"; do
  IFS=$'\t' read -r kind source inner target <<<"${line//$'\t\t'/$'\t-\t'}"
  [[ $inner != - ]] || inner=''
  number=$((number + 1)) since=$SECONDS wait=1 try=0
  printf '[%d/%d] %s' "$number" "${#work[@]}" "$target"
  if [[ -n $dry ]]; then
    printf '  from %s%s\n' "$source" "${inner:+ ($inner)}"
    continue
  fi
  until push_one "$kind" "$source" "$inner" "$target" >"$log" 2>&1; do
    if ((try >= retries)) || grep -qiE "$refused" "$log"; then
      printf '  FAILED\n'
      sed 's/^/        /' "$log" | tail -n 5
      failed+=("$target")
      continue 2
    fi
    try=$((try + 1))
    printf '  again in %d s …' "$wait"
    sleep "$wait"
    wait=$((wait < 32 ? wait * 2 : 60))
  done
  printf '  pushed (%d s)\n' $((SECONDS - since))
done

[[ -z $dry ]] || exit 0
printf '\n%d of %d pushed to %s in %d s.\n' $((number - ${#failed[@]})) "$number" "$hub" $((SECONDS - began))
if ((${#failed[@]})); then
  printf 'Not pushed:\n'
  printf '  %s\n' "${failed[@]}"
  exit 1
fi
