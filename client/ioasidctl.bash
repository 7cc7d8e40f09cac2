# Completion of ioasidctl for bash. Needs nothing but bash; device addresses come from `ioasidctl list`.

_ioasidctl_devices()
{
	LC_ALL=C ioasidctl list 2>/dev/null | grep -oE '[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]'
}

# Completes the word that the cursor is in, out of the words that are offered. bash splits words at colons, which
# addresses have: then only what is behind the last of them is to be filled in.
_ioasidctl_offer()
{
	local offered=$1 current=$2 typed=$3 word

	COMPREPLY=()
	while IFS= read -r word; do
		[[ -n $word && $word == "$typed"* ]] && COMPREPLY+=("${word#"${typed%"$current"}"}")
	done <<<"$offered"
}

_ioasidctl()
{
	local verbs=$'status\nlist\nshow\nplan\nrun\nclaim\nrelease'
	local options=$'--json\n--socket\n--help\n--version'
	local current=${COMP_WORDS[COMP_CWORD]} verb='' skip='' typed i

	typed=$current
	for ((i = COMP_CWORD; i > 1; i--)); do
		# The pieces of an address that was split at its colons stand in words of their own.
		[[ ${COMP_WORDS[i]} == : || ${COMP_WORDS[i - 1]} == : ]] || break
		[[ $i -eq $COMP_CWORD ]] && typed=''
		typed=${COMP_WORDS[i]}$typed
		[[ ${COMP_WORDS[i - 1]} != : && ${COMP_WORDS[i]} == : ]] && typed=${COMP_WORDS[i - 1]}$typed
	done
	for ((i = 1; i < COMP_CWORD; i++)); do
		if [[ -n $skip ]]; then
			skip=''
		elif [[ ${COMP_WORDS[i]} == -- ]]; then
			# What is behind it is a command of its own.
			if [[ $i -eq $((COMP_CWORD - 1)) ]]; then
				mapfile -t COMPREPLY < <(compgen -c -- "$current")
			else
				mapfile -t COMPREPLY < <(compgen -f -- "$current")
			fi
			return
		elif [[ ${COMP_WORDS[i]} == --socket || ${COMP_WORDS[i]} == --mode || ${COMP_WORDS[i]} == --failure-status ]]; then
			skip=${COMP_WORDS[i]}
		elif [[ ${COMP_WORDS[i]} != -* && -z $verb ]]; then
			verb=${COMP_WORDS[i]}
		fi
	done
	case $verb in
	plan | claim) options+=$'\n--mode' ;;
	run) options+=$'\n--mode\n--failure-status' ;;
	esac
	case $skip in
	--socket) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
	--mode) _ioasidctl_offer $'attached\nopen' "$current" "$current"; return ;;
	--failure-status) COMPREPLY=(); return ;;
	esac
	if [[ $current == -* ]]; then
		_ioasidctl_offer "$options" "$current" "$current"
	elif [[ -z $verb ]]; then
		_ioasidctl_offer "$verbs" "$current" "$current"
	elif [[ $verb == show || $verb == plan || $verb == run || $verb == claim ]]; then
		_ioasidctl_offer "$(_ioasidctl_devices)" "$current" "$typed"
	fi
}

complete -F _ioasidctl ioasidctl
