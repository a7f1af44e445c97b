#compdef evenkeel
# SPDX-License-Identifier: Apache-2.0
# Completion of evenkeel(1) for zsh. Made by packaging/completions/generate.py; do not edit.

_evenkeel() {
  local -a commands=(
    'plan:what would move, why, how much, how long'
    'apply:carry out a plan that was approved, or refuse it where it is stale'
    'round:force one balancing round now'
    'explain:why a collection, a chunk or a shard moves or does not move'
    'drain:what emptying a shard takes, and what blocks it'
    'zones:show zone ranges, and check them for faults'
    'route:which chunks and shards a query reaches'
    'history:what the journal says was done: migrations and rounds'
    'snapshot:capture a cluster'\''s metadata into one file, --anonymize to share it'
    'run:the service, in the foreground'
    'status:what the service is doing'
    'pause:stop starting migrations in the running service'
    'resume:let it start them again'
    'sandbox:serve a snapshot as a simulated cluster'
    'hash:the hashed shard key value of a value'
    'config:validate a configuration file'
    'help:the options of a command'
  )
  if (( CURRENT == 2 )); then
    _describe -t commands command commands
    _arguments '--help[print the commands]' '--version[print versions]'
    return
  fi
  local cmd=$words[2]
  shift words
  (( CURRENT-- ))
  case $cmd in
  plan)
    _arguments -s -S \
        '--balance=[Policy optimal\: make each collection even (the default), or the total of the cluster, too]:WHAT: ' \
        '--compare=[Plan with each of these policies, and print the plans side by side]:A,B[,...]: ' \
        '--policy=[auto (by server version, the default), count (chunks, as MongoDB up to 6.0.2), size (bytes, as MongoDB from 6.0.3), optimal (ours\: bytes by capacity, the fewest moved, in the fewest rounds)]:NAME:(auto count size optimal)' \
        '--rounds=[Project N rounds ahead (default 1)]:N: ' \
        '--seed=[Settle ties in an order drawn from N instead of the input'\''s]:N: ' \
        '--time-series=[exclude time-series collections (the default), or spread them even(ly)]:HOW:(exclude even)' \
        '--until-balanced[Project until nothing is left to move]' \
        '--max-bytes=[Move no more data than this, like 500GiB]:SIZE: ' \
        '--max-moves=[Plan no more than N migrations]:N: ' \
        '--max-time=[Plan no more than is expected to fit, like 6h]:DURATION: ' \
        '--start=[When it would begin, for the times told\: now, or like 2026-11-21T22\:00Z]:TIME: ' \
        '--all[Fold no long list]' \
        '--detailed-exitcode[Exit 0 where there is nothing to do, 2 where there is something]' \
        '*--add-shard=[As if there were this empty shard, in these zones; may be repeated]:NAME[:ZONE,...]: ' \
        '*--drain=[As if this shard were draining; may be repeated]:SHARD: ' \
        '*--weight=[As if this shard had this weight, like shard0=2; may be repeated]:SHARD=N: ' \
        '*--zones=[As if zone ranges and the zones of shards were those of FILE\: Extended JSON with tags, shards, namespaces; may be repeated]:FILE:_files' \
        '--dump=[The folder that '\''mongodump --db config'\'' wrote]:DIR:_files -/' \
        '*--ns=[Only these collections; '\''!GLOB'\'' leaves some out; may be repeated]:GLOB: ' \
        '--sizes=[Data sizes, {"db.coll"\: {"shard"\: bytes}}, where the source has none]:FILE:_files' \
        '--snapshot=[A snapshot of the metadata, as Extended JSON or BSON, plain or gzip; '\''-'\'' reads standard input]:FILE:_files' \
        '--uri=[A live cluster, by one of its mongos (default\: EVENKEEL_URI, or the configuration'\''s cluster.uri)]:URI: ' \
        '--config=[Read this configuration (default\: /etc/evenkeel/evenkeel.yaml when it exists)]:FILE:_files' \
        '--format=[How the result is written]:FORMAT:(text json html commands)' \
        '--no-color[No colours, on a terminal either]' \
        '(-o --output)-o+[Write the result to FILE, which is replaced only by a complete one]:FILE:_files' \
        '(-o --output)--output=[Write the result to FILE, which is replaced only by a complete one]:FILE:_files' \
        '--quiet[Print the essential only]' \
        '*-v[Tell more on standard error; may be repeated]' \
        '*--verbose[Tell more on standard error; may be repeated]' \
        '(-h --help)-h[Print this text]' \
        '(-h --help)--help[Print this text]' \
        '--usage[Print a short usage message]' \
        '*: : '
    ;;
  apply)
    _arguments -s -S \
        '--refresh[Make a new plan by the same policy and print how it differs; -o FILE keeps it; nothing is carried out]' \
        '--dry-run[Say what would be done, and do nothing]' \
        '--journal=[Journal here (default\: the configuration'\''s journal.path)]:FILE:_files' \
        '--uri=[The cluster, by one of its mongos (default\: EVENKEEL_URI, or the configuration'\''s cluster.uri)]:URI: ' \
        '--yes[Do not ask; needed off a terminal]' \
        '--max-bytes=[Move no more data than this, like 500GiB]:SIZE: ' \
        '--max-moves=[Carry out no more than N migrations]:N: ' \
        '--max-time=[Start no migration later than this, like 6h]:DURATION: ' \
        '*--ns=[Plan only these collections; '\''!GLOB'\'' leaves some out; may be repeated]:GLOB: ' \
        '--all[Fold no long list]' \
        '--config=[Read this configuration (default\: /etc/evenkeel/evenkeel.yaml when it exists)]:FILE:_files' \
        '--format=[How the result is written]:FORMAT:(text json)' \
        '--no-color[No colours, on a terminal either]' \
        '(-o --output)-o+[Write the result to FILE, which is replaced only by a complete one]:FILE:_files' \
        '(-o --output)--output=[Write the result to FILE, which is replaced only by a complete one]:FILE:_files' \
        '--quiet[Print the essential only]' \
        '*-v[Tell more on standard error; may be repeated]' \
        '*--verbose[Tell more on standard error; may be repeated]' \
        '(-h --help)-h[Print this text]' \
        '(-h --help)--help[Print this text]' \
        '--usage[Print a short usage message]' \
        '*:file:_files'
    ;;
  round)
    _arguments -s -S \
        '--ignore-window[Act outside the balancing window, too]' \
        '--policy=[auto (by server version, the default), count, size, optimal]:NAME:(auto count size optimal)' \
        '--reason=[Why, for the journal]:TEXT: ' \
        '--socket=[The service'\''s control socket, instead of the configuration'\''s]:PATH:_files' \
        '--standalone[Perform it in this process, where no service runs]' \
        '--wait[Follow the service'\''s round to its end]' \
        '--dry-run[Say what would be done, and do nothing]' \
        '--journal=[Journal here (default\: the configuration'\''s journal.path)]:FILE:_files' \
        '--uri=[The cluster, by one of its mongos (default\: EVENKEEL_URI, or the configuration'\''s cluster.uri)]:URI: ' \
        '--yes[Do not ask; needed off a terminal]' \
        '--max-bytes=[Move no more data than this, like 500GiB]:SIZE: ' \
        '--max-moves=[Carry out no more than N migrations]:N: ' \
        '--max-time=[Start no migration later than this, like 6h]:DURATION: ' \
        '*--ns=[Plan only these collections; '\''!GLOB'\'' leaves some out; may be repeated]:GLOB: ' \
        '--all[Fold no long list]' \
        '--config=[Read this configuration (default\: /etc/evenkeel/evenkeel.yaml when it exists)]:FILE:_files' \
        '--format=[How the result is written]:FORMAT:(text json)' \
        '--no-color[No colours, on a terminal either]' \
        '(-o --output)-o+[Write the result to FILE, which is replaced only by a complete one]:FILE:_files' \
        '(-o --output)--output=[Write the result to FILE, which is replaced only by a complete one]:FILE:_files' \
        '--quiet[Print the essential only]' \
        '*-v[Tell more on standard error; may be repeated]' \
        '*--verbose[Tell more on standard error; may be repeated]' \
        '(-h --help)-h[Print this text]' \
        '(-h --help)--help[Print this text]' \
        '--usage[Print a short usage message]' \
        '*: : '
    ;;
  explain)
    _arguments -s -S \
        '--chunk=[Explain the chunk that holds this shard key, an Extended JSON document of its first fields or all]:KEY: ' \
        '--shard=[Explain this shard towards the collection]:ID: ' \
        '--policy=[auto (by server version, the default), count, size, optimal]:NAME:(auto count size optimal)' \
        '--time-series=[exclude time-series collections (the default), or spread them even(ly)]:HOW:(exclude even)' \
        '*--add-shard=[As if there were this empty shard, in these zones; may be repeated]:NAME[:ZONE,...]: ' \
        '*--drain=[As if this shard were draining; may be repeated]:SHARD: ' \
        '*--weight=[As if this shard had this weight, like shard0=2; may be repeated]:SHARD=N: ' \
        '*--zones=[As if zone ranges and the zones of shards were those of FILE\: Extended JSON with tags, shards, namespaces; may be repeated]:FILE:_files' \
        '--dump=[The folder that '\''mongodump --db config'\'' wrote]:DIR:_files -/' \
        '*--ns=[Only these collections; '\''!GLOB'\'' leaves some out; may be repeated]:GLOB: ' \
        '--sizes=[Data sizes, {"db.coll"\: {"shard"\: bytes}}, where the source has none]:FILE:_files' \
        '--snapshot=[A snapshot of the metadata, as Extended JSON or BSON, plain or gzip; '\''-'\'' reads standard input]:FILE:_files' \
        '--uri=[A live cluster, by one of its mongos (default\: EVENKEEL_URI, or the configuration'\''s cluster.uri)]:URI: ' \
        '--config=[Read this configuration (default\: /etc/evenkeel/evenkeel.yaml when it exists)]:FILE:_files' \
        '--format=[How the result is written]:FORMAT:(text json)' \
        '--no-color[No colours, on a terminal either]' \
        '(-o --output)-o+[Write the result to FILE, which is replaced only by a complete one]:FILE:_files' \
        '(-o --output)--output=[Write the result to FILE, which is replaced only by a complete one]:FILE:_files' \
        '--quiet[Print the essential only]' \
        '*-v[Tell more on standard error; may be repeated]' \
        '*--verbose[Tell more on standard error; may be repeated]' \
        '(-h --help)-h[Print this text]' \
        '(-h --help)--help[Print this text]' \
        '--usage[Print a short usage message]' \
        '*: : '
    ;;
  drain)
    _arguments -s -S \
        '--policy=[auto (by server version, the default), count, size, optimal]:NAME:(auto count size optimal)' \
        '--time-series=[exclude time-series collections (the default), or spread them even(ly)]:HOW:(exclude even)' \
        '--all[Fold no long list]' \
        '*--add-shard=[As if there were this empty shard, in these zones; may be repeated]:NAME[:ZONE,...]: ' \
        '*--drain=[As if this shard were draining; may be repeated]:SHARD: ' \
        '*--weight=[As if this shard had this weight, like shard0=2; may be repeated]:SHARD=N: ' \
        '*--zones=[As if zone ranges and the zones of shards were those of FILE\: Extended JSON with tags, shards, namespaces; may be repeated]:FILE:_files' \
        '--dump=[The folder that '\''mongodump --db config'\'' wrote]:DIR:_files -/' \
        '*--ns=[Only these collections; '\''!GLOB'\'' leaves some out; may be repeated]:GLOB: ' \
        '--sizes=[Data sizes, {"db.coll"\: {"shard"\: bytes}}, where the source has none]:FILE:_files' \
        '--snapshot=[A snapshot of the metadata, as Extended JSON or BSON, plain or gzip; '\''-'\'' reads standard input]:FILE:_files' \
        '--uri=[A live cluster, by one of its mongos (default\: EVENKEEL_URI, or the configuration'\''s cluster.uri)]:URI: ' \
        '--config=[Read this configuration (default\: /etc/evenkeel/evenkeel.yaml when it exists)]:FILE:_files' \
        '--format=[How the result is written]:FORMAT:(text json)' \
        '--no-color[No colours, on a terminal either]' \
        '(-o --output)-o+[Write the result to FILE, which is replaced only by a complete one]:FILE:_files' \
        '(-o --output)--output=[Write the result to FILE, which is replaced only by a complete one]:FILE:_files' \
        '--quiet[Print the essential only]' \
        '*-v[Tell more on standard error; may be repeated]' \
        '*--verbose[Tell more on standard error; may be repeated]' \
        '(-h --help)-h[Print this text]' \
        '(-h --help)--help[Print this text]' \
        '--usage[Print a short usage message]' \
        '*: : '
    ;;
  zones)
    _arguments -s -S \
        '--all[Fold no long list]' \
        '--dump=[The folder that '\''mongodump --db config'\'' wrote]:DIR:_files -/' \
        '*--ns=[Only these collections; '\''!GLOB'\'' leaves some out; may be repeated]:GLOB: ' \
        '--sizes=[Data sizes, {"db.coll"\: {"shard"\: bytes}}, where the source has none]:FILE:_files' \
        '--snapshot=[A snapshot of the metadata, as Extended JSON or BSON, plain or gzip; '\''-'\'' reads standard input]:FILE:_files' \
        '--uri=[A live cluster, by one of its mongos (default\: EVENKEEL_URI, or the configuration'\''s cluster.uri)]:URI: ' \
        '--config=[Read this configuration (default\: /etc/evenkeel/evenkeel.yaml when it exists)]:FILE:_files' \
        '--format=[How the result is written]:FORMAT:(text json)' \
        '--no-color[No colours, on a terminal either]' \
        '(-o --output)-o+[Write the result to FILE, which is replaced only by a complete one]:FILE:_files' \
        '(-o --output)--output=[Write the result to FILE, which is replaced only by a complete one]:FILE:_files' \
        '--quiet[Print the essential only]' \
        '*-v[Tell more on standard error; may be repeated]' \
        '*--verbose[Tell more on standard error; may be repeated]' \
        '(-h --help)-h[Print this text]' \
        '(-h --help)--help[Print this text]' \
        '--usage[Print a short usage message]' \
        '1:what:(show check)' \
        '*: : '
    ;;
  route)
    _arguments -s -S \
        '--all[List every chunk that is reached]' \
        '--dump=[The folder that '\''mongodump --db config'\'' wrote]:DIR:_files -/' \
        '*--ns=[Only these collections; '\''!GLOB'\'' leaves some out; may be repeated]:GLOB: ' \
        '--sizes=[Data sizes, {"db.coll"\: {"shard"\: bytes}}, where the source has none]:FILE:_files' \
        '--snapshot=[A snapshot of the metadata, as Extended JSON or BSON, plain or gzip; '\''-'\'' reads standard input]:FILE:_files' \
        '--uri=[A live cluster, by one of its mongos (default\: EVENKEEL_URI, or the configuration'\''s cluster.uri)]:URI: ' \
        '--config=[Read this configuration (default\: /etc/evenkeel/evenkeel.yaml when it exists)]:FILE:_files' \
        '--format=[How the result is written]:FORMAT:(text json)' \
        '--no-color[No colours, on a terminal either]' \
        '(-o --output)-o+[Write the result to FILE, which is replaced only by a complete one]:FILE:_files' \
        '(-o --output)--output=[Write the result to FILE, which is replaced only by a complete one]:FILE:_files' \
        '--quiet[Print the essential only]' \
        '*-v[Tell more on standard error; may be repeated]' \
        '*--verbose[Tell more on standard error; may be repeated]' \
        '(-h --help)-h[Print this text]' \
        '(-h --help)--help[Print this text]' \
        '--usage[Print a short usage message]' \
        '*: : '
    ;;
  history)
    _arguments -s -S \
        '--limit=[Only the newest N]:N: ' \
        '*--ns=[Only these collections; '\''!GLOB'\'' leaves some out; may be repeated]:GLOB: ' \
        '--round=[Only this round]:N: ' \
        '--shard=[Only what moves from or to this shard]:ID: ' \
        '--since=[What was planned then or later (rounds\: started)\: a time (2026-11-21, 2026-11-21T09\:30Z), or how long ago (2h, 90d)]:TIME: ' \
        '--state=[Only what is planned, started, committed, failed, aborted or unknown]:STATE:(planned started committed failed aborted unknown)' \
        '--until=[What was planned (rounds\: started) before then]:TIME: ' \
        '--all[Fold no long list]' \
        '--rounds[Tell rounds instead of migrations and splits]' \
        '--tail[Go on and tell each change as it comes, until interrupted]' \
        '--journal=[Read this journal (default\: the configuration'\''s journal.path)]:FILE:_files' \
        '--config=[Read this configuration (default\: /etc/evenkeel/evenkeel.yaml when it exists)]:FILE:_files' \
        '--format=[How the result is written]:FORMAT:(text json csv)' \
        '--no-color[No colours, on a terminal either]' \
        '(-o --output)-o+[Write the result to FILE, which is replaced only by a complete one]:FILE:_files' \
        '(-o --output)--output=[Write the result to FILE, which is replaced only by a complete one]:FILE:_files' \
        '--quiet[Print the essential only]' \
        '*-v[Tell more on standard error; may be repeated]' \
        '*--verbose[Tell more on standard error; may be repeated]' \
        '(-h --help)-h[Print this text]' \
        '(-h --help)--help[Print this text]' \
        '--usage[Print a short usage message]' \
        '*: : '
    ;;
  snapshot)
    _arguments -s -S \
        '--anonymize[Replace names and key values; order and sizes stay, so that it can be shared]' \
        '--dump=[The folder that '\''mongodump --db config'\'' wrote]:DIR:_files -/' \
        '*--ns=[Only these collections; '\''!GLOB'\'' leaves some out; may be repeated]:GLOB: ' \
        '--sizes=[Data sizes, {"db.coll"\: {"shard"\: bytes}}, where the source has none]:FILE:_files' \
        '--snapshot=[A snapshot of the metadata, as Extended JSON or BSON, plain or gzip; '\''-'\'' reads standard input]:FILE:_files' \
        '--uri=[A live cluster, by one of its mongos (default\: EVENKEEL_URI, or the configuration'\''s cluster.uri)]:URI: ' \
        '--config=[Read this configuration (default\: /etc/evenkeel/evenkeel.yaml when it exists)]:FILE:_files' \
        '--format=[How the result is written]:FORMAT:(json bson)' \
        '--no-color[No colours, on a terminal either]' \
        '(-o --output)-o+[Write the result to FILE, which is replaced only by a complete one]:FILE:_files' \
        '(-o --output)--output=[Write the result to FILE, which is replaced only by a complete one]:FILE:_files' \
        '--quiet[Print the essential only]' \
        '*-v[Tell more on standard error; may be repeated]' \
        '*--verbose[Tell more on standard error; may be repeated]' \
        '(-h --help)-h[Print this text]' \
        '(-h --help)--help[Print this text]' \
        '--usage[Print a short usage message]' \
        '*: : '
    ;;
  run)
    _arguments -s -S \
        '--journal=[The journal, instead of the configuration'\''s journal.path]:FILE:_files' \
        '--uri=[The mongos, instead of EVENKEEL_URI or the configuration'\''s]:URI: ' \
        '--config=[Read this configuration (default\: /etc/evenkeel/evenkeel.yaml when it exists)]:FILE:_files' \
        '--no-color[No colours, on a terminal either]' \
        '--quiet[Print the essential only]' \
        '*-v[Tell more on standard error; may be repeated]' \
        '*--verbose[Tell more on standard error; may be repeated]' \
        '(-h --help)-h[Print this text]' \
        '(-h --help)--help[Print this text]' \
        '--usage[Print a short usage message]' \
        '*: : '
    ;;
  status)
    _arguments -s -S \
        '--json[The same as --format json]' \
        '--socket=[The control socket, instead of the configuration'\''s control.socket]:PATH:_files' \
        '--watch[Redraw every second, on a terminal, until Ctrl-C]' \
        '--config=[Read this configuration (default\: /etc/evenkeel/evenkeel.yaml when it exists)]:FILE:_files' \
        '--format=[How the result is written]:FORMAT:(text json)' \
        '--no-color[No colours, on a terminal either]' \
        '(-o --output)-o+[Write the result to FILE, which is replaced only by a complete one]:FILE:_files' \
        '(-o --output)--output=[Write the result to FILE, which is replaced only by a complete one]:FILE:_files' \
        '--quiet[Print the essential only]' \
        '*-v[Tell more on standard error; may be repeated]' \
        '*--verbose[Tell more on standard error; may be repeated]' \
        '(-h --help)-h[Print this text]' \
        '(-h --help)--help[Print this text]' \
        '--usage[Print a short usage message]' \
        '*: : '
    ;;
  pause)
    _arguments -s -S \
        '--reason=[Why, for the journal and for whoever looks at the status]:TEXT: ' \
        '--socket=[The control socket, instead of the configuration'\''s control.socket]:PATH:_files' \
        '--config=[Read this configuration (default\: /etc/evenkeel/evenkeel.yaml when it exists)]:FILE:_files' \
        '--no-color[No colours, on a terminal either]' \
        '--quiet[Print the essential only]' \
        '*-v[Tell more on standard error; may be repeated]' \
        '*--verbose[Tell more on standard error; may be repeated]' \
        '(-h --help)-h[Print this text]' \
        '(-h --help)--help[Print this text]' \
        '--usage[Print a short usage message]' \
        '*: : '
    ;;
  resume)
    _arguments -s -S \
        '--reason=[Why, for the journal and for whoever looks at the status]:TEXT: ' \
        '--socket=[The control socket, instead of the configuration'\''s control.socket]:PATH:_files' \
        '--config=[Read this configuration (default\: /etc/evenkeel/evenkeel.yaml when it exists)]:FILE:_files' \
        '--no-color[No colours, on a terminal either]' \
        '--quiet[Print the essential only]' \
        '*-v[Tell more on standard error; may be repeated]' \
        '*--verbose[Tell more on standard error; may be repeated]' \
        '(-h --help)-h[Print this text]' \
        '(-h --help)--help[Print this text]' \
        '--usage[Print a short usage message]' \
        '*: : '
    ;;
  sandbox)
    _arguments -s -S \
        '--dump=[Serve the config database that mongodump wrote to DIR]:DIR:_files -/' \
        '--snapshot=[Serve this snapshot (JSON or BSON, plain or gzip)]:FILE:_files' \
        '--bind=[Listen on this loopback address (default 127.0.0.1)]:ADDRESS: ' \
        '--password-file=[Its password\: the first line of FILE]:FILE:_files' \
        '--port=[Listen on this port (default 27017; 0\: any free one)]:N: ' \
        '--server-version=[Behave as this version of MongoDB (default\: the metadata'\''s)]:X.Y.Z: ' \
        '--tls-certificate-key-file=[Require TLS, with the certificate and key of this PEM file]:FILE:_files' \
        '--user=[Require SCRAM-SHA-256 log-in as this user of the database admin]:NAME: ' \
        '--allow-faults[Accept the command evenkeelSandboxFault\: lost replies, step-downs, and so on]' \
        '--bandwidth=[A migration copies so much in a second (default\: no copy time)]:SIZE: ' \
        '--growth=[New data over the whole cluster in a second (default 0)]:SIZE: ' \
        '--latency=[The fixed time of a migration (default 100ms)]:DURATION: ' \
        '--orphan-delay=[Donors keep moved ranges for so long (default 15m)]:DURATION: ' \
        '--seed=[Draw chance from N (default 1)]:N: ' \
        '--speed=[Let N simulated seconds pass in a real one (default 1)]:N: ' \
        '--spread=[Spread both at random by up to this fraction, 0 to 1 (default 0)]:FRACTION: ' \
        '--log=[Append a line for each command to FILE]:FILE:_files' \
        '--config=[Read this configuration (default\: /etc/evenkeel/evenkeel.yaml when it exists)]:FILE:_files' \
        '--no-color[No colours, on a terminal either]' \
        '--quiet[Print the essential only]' \
        '*-v[Tell more on standard error; may be repeated]' \
        '*--verbose[Tell more on standard error; may be repeated]' \
        '(-h --help)-h[Print this text]' \
        '(-h --help)--help[Print this text]' \
        '--usage[Print a short usage message]' \
        '*: : '
    ;;
  hash)
    _arguments -s -S \
        '--config=[Read this configuration (default\: /etc/evenkeel/evenkeel.yaml when it exists)]:FILE:_files' \
        '--format=[How the result is written]:FORMAT:(text json)' \
        '--no-color[No colours, on a terminal either]' \
        '(-o --output)-o+[Write the result to FILE, which is replaced only by a complete one]:FILE:_files' \
        '(-o --output)--output=[Write the result to FILE, which is replaced only by a complete one]:FILE:_files' \
        '--quiet[Print the essential only]' \
        '*-v[Tell more on standard error; may be repeated]' \
        '*--verbose[Tell more on standard error; may be repeated]' \
        '(-h --help)-h[Print this text]' \
        '(-h --help)--help[Print this text]' \
        '--usage[Print a short usage message]' \
        '*: : '
    ;;
  config)
    _arguments -s -S \
        '--config=[Read this configuration (default\: /etc/evenkeel/evenkeel.yaml when it exists)]:FILE:_files' \
        '--format=[How the result is written]:FORMAT:(text)' \
        '--no-color[No colours, on a terminal either]' \
        '(-o --output)-o+[Write the result to FILE, which is replaced only by a complete one]:FILE:_files' \
        '(-o --output)--output=[Write the result to FILE, which is replaced only by a complete one]:FILE:_files' \
        '--quiet[Print the essential only]' \
        '*-v[Tell more on standard error; may be repeated]' \
        '*--verbose[Tell more on standard error; may be repeated]' \
        '(-h --help)-h[Print this text]' \
        '(-h --help)--help[Print this text]' \
        '--usage[Print a short usage message]' \
        '1:what:(check)' \
        '*:file:_files'
    ;;
  help) (( CURRENT == 2 )) && _describe -t commands command commands ;;
  esac
}

_evenkeel "$@"
