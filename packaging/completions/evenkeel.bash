# SPDX-License-Identifier: Apache-2.0
# Completion of evenkeel(1) for bash. Made by packaging/completions/generate.py; do not edit.

_evenkeel_options() {
    case $1 in
    plan) echo '--balance --compare --policy --rounds --seed --time-series --until-balanced --max-bytes --max-moves --max-time --start --all --detailed-exitcode --add-shard --drain --weight --zones --dump --ns --sizes --snapshot --uri --config --format --no-color -o --output --quiet -v --verbose -h --help --usage' ;;
    apply) echo '--refresh --dry-run --journal --uri --yes --max-bytes --max-moves --max-time --ns --all --config --format --no-color -o --output --quiet -v --verbose -h --help --usage' ;;
    round) echo '--ignore-window --policy --reason --socket --standalone --wait --dry-run --journal --uri --yes --max-bytes --max-moves --max-time --ns --all --config --format --no-color -o --output --quiet -v --verbose -h --help --usage' ;;
    explain) echo '--chunk --shard --policy --time-series --add-shard --drain --weight --zones --dump --ns --sizes --snapshot --uri --config --format --no-color -o --output --quiet -v --verbose -h --help --usage' ;;
    drain) echo '--policy --time-series --all --add-shard --drain --weight --zones --dump --ns --sizes --snapshot --uri --config --format --no-color -o --output --quiet -v --verbose -h --help --usage' ;;
    zones) echo '--all --dump --ns --sizes --snapshot --uri --config --format --no-color -o --output --quiet -v --verbose -h --help --usage' ;;
    route) echo '--all --dump --ns --sizes --snapshot --uri --config --format --no-color -o --output --quiet -v --verbose -h --help --usage' ;;
    history) echo '--limit --ns --round --shard --since --state --until --all --rounds --tail --journal --config --format --no-color -o --output --quiet -v --verbose -h --help --usage' ;;
    snapshot) echo '--anonymize --dump --ns --sizes --snapshot --uri --config --format --no-color -o --output --quiet -v --verbose -h --help --usage' ;;
    run) echo '--journal --uri --config --no-color --quiet -v --verbose -h --help --usage' ;;
    status) echo '--json --socket --watch --config --format --no-color -o --output --quiet -v --verbose -h --help --usage' ;;
    pause) echo '--reason --socket --config --no-color --quiet -v --verbose -h --help --usage' ;;
    resume) echo '--reason --socket --config --no-color --quiet -v --verbose -h --help --usage' ;;
    sandbox) echo '--dump --snapshot --bind --password-file --port --server-version --tls-certificate-key-file --user --allow-faults --bandwidth --growth --latency --orphan-delay --seed --speed --spread --log --config --no-color --quiet -v --verbose -h --help --usage' ;;
    hash) echo '--config --format --no-color -o --output --quiet -v --verbose -h --help --usage' ;;
    config) echo '--config --format --no-color -o --output --quiet -v --verbose -h --help --usage' ;;
    esac
}

# What follows an option: words ..., file, dir, text; nothing where it takes no value.
_evenkeel_values() {
    case $1 in
    plan:--balance) echo 'text' ;;
    plan:--compare) echo 'text' ;;
    plan:--policy) echo 'words auto count size optimal' ;;
    plan:--rounds) echo 'text' ;;
    plan:--seed) echo 'text' ;;
    plan:--time-series) echo 'words exclude even' ;;
    plan:--max-bytes) echo 'text' ;;
    plan:--max-moves) echo 'text' ;;
    plan:--max-time) echo 'text' ;;
    plan:--start) echo 'text' ;;
    plan:--add-shard) echo 'text' ;;
    plan:--drain) echo 'text' ;;
    plan:--weight) echo 'text' ;;
    plan:--zones) echo 'file' ;;
    plan:--dump) echo 'dir' ;;
    plan:--ns) echo 'text' ;;
    plan:--sizes) echo 'file' ;;
    plan:--snapshot) echo 'file' ;;
    plan:--uri) echo 'text' ;;
    plan:--config) echo 'file' ;;
    plan:--format) echo 'words text json html commands' ;;
    plan:-o | plan:--output) echo 'file' ;;
    apply:--journal) echo 'file' ;;
    apply:--uri) echo 'text' ;;
    apply:--max-bytes) echo 'text' ;;
    apply:--max-moves) echo 'text' ;;
    apply:--max-time) echo 'text' ;;
    apply:--ns) echo 'text' ;;
    apply:--config) echo 'file' ;;
    apply:--format) echo 'words text json' ;;
    apply:-o | apply:--output) echo 'file' ;;
    round:--policy) echo 'words auto count size optimal' ;;
    round:--reason) echo 'text' ;;
    round:--socket) echo 'file' ;;
    round:--journal) echo 'file' ;;
    round:--uri) echo 'text' ;;
    round:--max-bytes) echo 'text' ;;
    round:--max-moves) echo 'text' ;;
    round:--max-time) echo 'text' ;;
    round:--ns) echo 'text' ;;
    round:--config) echo 'file' ;;
    round:--format) echo 'words text json' ;;
    round:-o | round:--output) echo 'file' ;;
    explain:--chunk) echo 'text' ;;
    explain:--shard) echo 'text' ;;
    explain:--policy) echo 'words auto count size optimal' ;;
    explain:--time-series) echo 'words exclude even' ;;
    explain:--add-shard) echo 'text' ;;
    explain:--drain) echo 'text' ;;
    explain:--weight) echo 'text' ;;
    explain:--zones) echo 'file' ;;
    explain:--dump) echo 'dir' ;;
    explain:--ns) echo 'text' ;;
    explain:--sizes) echo 'file' ;;
    explain:--snapshot) echo 'file' ;;
    explain:--uri) echo 'text' ;;
    explain:--config) echo 'file' ;;
    explain:--format) echo 'words text json' ;;
    explain:-o | explain:--output) echo 'file' ;;
    drain:--policy) echo 'words auto count size optimal' ;;
    drain:--time-series) echo 'words exclude even' ;;
    drain:--add-shard) echo 'text' ;;
    drain:--drain) echo 'text' ;;
    drain:--weight) echo 'text' ;;
    drain:--zones) echo 'file' ;;
    drain:--dump) echo 'dir' ;;
    drain:--ns) echo 'text' ;;
    drain:--sizes) echo 'file' ;;
    drain:--snapshot) echo 'file' ;;
    drain:--uri) echo 'text' ;;
    drain:--config) echo 'file' ;;
    drain:--format) echo 'words text json' ;;
    drain:-o | drain:--output) echo 'file' ;;
    zones:--dump) echo 'dir' ;;
    zones:--ns) echo 'text' ;;
    zones:--sizes) echo 'file' ;;
    zones:--snapshot) echo 'file' ;;
    zones:--uri) echo 'text' ;;
    zones:--config) echo 'file' ;;
    zones:--format) echo 'words text json' ;;
    zones:-o | zones:--output) echo 'file' ;;
    route:--dump) echo 'dir' ;;
    route:--ns) echo 'text' ;;
    route:--sizes) echo 'file' ;;
    route:--snapshot) echo 'file' ;;
    route:--uri) echo 'text' ;;
    route:--config) echo 'file' ;;
    route:--format) echo 'words text json' ;;
    route:-o | route:--output) echo 'file' ;;
    history:--limit) echo 'text' ;;
    history:--ns) echo 'text' ;;
    history:--round) echo 'text' ;;
    history:--shard) echo 'text' ;;
    history:--since) echo 'text' ;;
    history:--state) echo 'words planned started committed failed aborted unknown' ;;
    history:--until) echo 'text' ;;
    history:--journal) echo 'file' ;;
    history:--config) echo 'file' ;;
    history:--format) echo 'words text json csv' ;;
    history:-o | history:--output) echo 'file' ;;
    snapshot:--dump) echo 'dir' ;;
    snapshot:--ns) echo 'text' ;;
    snapshot:--sizes) echo 'file' ;;
    snapshot:--snapshot) echo 'file' ;;
    snapshot:--uri) echo 'text' ;;
    snapshot:--config) echo 'file' ;;
    snapshot:--format) echo 'words json bson' ;;
    snapshot:-o | snapshot:--output) echo 'file' ;;
    run:--journal) echo 'file' ;;
    run:--uri) echo 'text' ;;
    run:--config) echo 'file' ;;
    status:--socket) echo 'file' ;;
    status:--config) echo 'file' ;;
    status:--format) echo 'words text json' ;;
    status:-o | status:--output) echo 'file' ;;
    pause:--reason) echo 'text' ;;
    pause:--socket) echo 'file' ;;
    pause:--config) echo 'file' ;;
    resume:--reason) echo 'text' ;;
    resume:--socket) echo 'file' ;;
    resume:--config) echo 'file' ;;
    sandbox:--dump) echo 'dir' ;;
    sandbox:--snapshot) echo 'file' ;;
    sandbox:--bind) echo 'text' ;;
    sandbox:--password-file) echo 'file' ;;
    sandbox:--port) echo 'text' ;;
    sandbox:--server-version) echo 'text' ;;
    sandbox:--tls-certificate-key-file) echo 'file' ;;
    sandbox:--user) echo 'text' ;;
    sandbox:--bandwidth) echo 'text' ;;
    sandbox:--growth) echo 'text' ;;
    sandbox:--latency) echo 'text' ;;
    sandbox:--orphan-delay) echo 'text' ;;
    sandbox:--seed) echo 'text' ;;
    sandbox:--speed) echo 'text' ;;
    sandbox:--spread) echo 'text' ;;
    sandbox:--log) echo 'file' ;;
    sandbox:--config) echo 'file' ;;
    hash:--config) echo 'file' ;;
    hash:--format) echo 'words text json' ;;
    hash:-o | hash:--output) echo 'file' ;;
    config:--config) echo 'file' ;;
    config:--format) echo 'words text' ;;
    config:-o | config:--output) echo 'file' ;;
    esac
}

# What an argument that is no option may be, by its number.
_evenkeel_arguments() {
    case $1 in
    apply:*) echo 'file' ;;
    zones:1) echo 'words show check' ;;
    config:1) echo 'words check' ;;
    config:*) echo 'file' ;;
    help:1) echo 'words plan apply round explain drain zones route history snapshot run status pause resume sandbox hash config' ;;
    esac
}

# Fills COMPREPLY with what fits $2.
_evenkeel_offer() {
    local kind=${1%% *}
    case $kind in
    words) mapfile -t COMPREPLY < <(compgen -W "${1#words }" -- "$2") ;;
    file | dir)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen "-${kind:0:1}" -- "$2")
        ;;
    esac
}

_evenkeel() {
    local cur=${COMP_WORDS[COMP_CWORD]} option='' cmd=${COMP_WORDS[1]-} i n=0
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        _evenkeel_offer 'words plan apply round explain drain zones route history snapshot run status pause resume sandbox hash config help --help --version' "$cur"
        return
    fi
    # bash takes "--option=value" for three words.
    if [[ $cur == '=' ]]; then
        option=${COMP_WORDS[COMP_CWORD - 1]} cur=''
    elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == '=' ]]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == -* ]]; then
        option=${COMP_WORDS[COMP_CWORD - 1]}
    fi
    if [[ -n $option ]] && option=$(_evenkeel_values "$cmd:$option") && [[ -n $option ]]; then
        _evenkeel_offer "$option" "$cur"
        return
    fi
    if [[ $cur == -* ]]; then
        _evenkeel_offer "words $(_evenkeel_options "$cmd")" "$cur"
        return
    fi
    for ((i = 2; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == -* ]]; then
            [[ ${COMP_WORDS[i + 1]} == '=' ]] && ((i += 2)) && continue
            [[ -n $(_evenkeel_values "$cmd:${COMP_WORDS[i]}") ]] && ((i++))
            continue
        fi
        ((n++))
    done
    _evenkeel_offer "$(_evenkeel_arguments "$cmd:$((n + 1))")" "$cur"
}

complete -F _evenkeel evenkeel
