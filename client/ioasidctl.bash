# Completion of ioasidctl for bash. Needs nothing but bash; device addresses come from `ioasidctl list`.

_ioasidctl_devices()
{
	LC_ALL=C ioasidctl list 2>/dev/null | grep -oE '[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]'
}

# Offers those of the lines in $1 that begin with what was typed, $2. bash splits words at colons, which addresses have,
# and replaces only what is behind the last one.
_ioasidctl_offer()
{
	local word kept=''

	[[ $2 == *:* && $COMP_WORDBREAKS == *:* ]] && kept=${2%"${2##*:}"}
	COMPREPLY=()
	while IFS= read -r word; do
		[[ -n $word && $word == "$2"* ]] && COMPREPLY+=("${word#"$kept"}")
	done <<<"$1"
	return 0
}

_ioasidctl()
{
	local verbs=$'status\nlist\nshow\nplan\ngraph\nsnapshot\nrun\nclaim\nrelease\nrevoke\npolicy\nmonitor\naudit\nmetrics\ndoctor'
	local options=$'--json\n--socket\n--help\n--version'
	local line=${COMP_LINE:0:COMP_POINT} verb='' value='' word i
	local typed=${line##*[[:space:]]}

	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ -n $value ]]; then
			value=''
		elif [[ $word == -- ]]; then
			# What is behind it is a command of its own.
			if ((i == COMP_CWORD - 1)); then
				mapfile -t COMPREPLY < <(compgen -c -- "$typed")
			else
				mapfile -t COMPREPLY < <(compgen -f -- "$typed")
			fi
			return
		elif [[ $word == --socket || $word == --mode || $word == --failure-status ||
			$word == --snapshot || $word == --policy || $word == --as || $word == --unit ||
			$word == --lease || $word == --grace || $word == --reason || $word == --textfile ]]; then
			value=$word
		elif [[ $word != -* && -z $verb ]]; then
			verb=$word
		fi
	done
	case $verb in
	list | show | policy) options+=$'\n--snapshot' ;;
	plan) options+=$'\n--mode\n--snapshot\n--policy\n--as\n--unit' ;;
	graph) options+=$'\n--mode\n--snapshot\n--policy\n--as\n--unit\n--all' ;;
	snapshot) options+=$'\n--with-details' ;;
	claim) options+=$'\n--mode\n--lease\n--unit' ;;
	run) options+=$'\n--mode\n--failure-status\n--lease\n--unit' ;;
	revoke) options+=$'\n--all\n--grace\n--reason\n--unbind\n--wait' ;;
	audit) options+=$'\n--all' ;;
	metrics) options+=$'\n--textfile' ;;
	esac
	if [[ $value == --socket || $value == --snapshot || $value == --policy || $value == --textfile ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$typed")
	elif [[ $value == --mode ]]; then
		_ioasidctl_offer $'attached\nopen\nnode' "$typed"
	elif [[ $value == --lease ]]; then
		_ioasidctl_offer $'descriptor\nprocess\nunit\noperator' "$typed"
	elif [[ $value == --as ]]; then
		mapfile -t COMPREPLY < <(compgen -u -- "$typed")
	elif [[ -n $value ]]; then
		COMPREPLY=()
	elif [[ $typed == -* ]]; then
		_ioasidctl_offer "$options" "$typed"
	elif [[ -z $verb ]]; then
		_ioasidctl_offer "$verbs" "$typed"
	elif [[ $verb == snapshot ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$typed")
	elif [[ $verb == policy && $line == *" policy "*check* ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$typed")
	elif [[ $verb == policy ]]; then
		_ioasidctl_offer $'check\nshow\nreload' "$typed"
	elif [[ $verb == show || $verb == plan || $verb == graph || $verb == run || $verb == claim || $verb == revoke ]]; then
		_ioasidctl_offer "$(_ioasidctl_devices)" "$typed"
	fi
}

complete -F _ioasidctl ioasidctl
