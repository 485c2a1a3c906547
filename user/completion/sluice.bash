# bash completion for sluice, sluice-load and sluiced.                                     -*- shell-script -*-
# SPDX-License-Identifier: GPL-2.0-only
# Nothing is listed here: sluice itself says which words may follow, and the others' --help names their options.

# Words by blanks alone: bash would also cut them at : and =, which addresses and rules hold.
_sluice_words() {
	local line=${COMP_LINE:0:COMP_POINT}
	read -ra words <<<"$line"
	[[ $line != *[[:blank:]] ]] || words+=("")
	cur=${words[-1]}
}

_sluice() {
	local cur words found
	COMPREPLY=()
	_sluice_words
	if [[ $cur == -* ]]; then
		found=$("${words[0]}" --help 2>/dev/null | sed -n 's/^  -[a-zA-Z], \(--[a-z-]*\).*/\1/p')
	else
		found=$("${words[0]}" __complete "${words[@]:1:${#words[@]}-2}" 2>/dev/null)
	fi
	if [[ $found == FILE ]]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$found" -- "$cur")
}

# Options that --help lists as "-t, --target ARG"; a choice is shown as "raw|memcached".
_sluice_options() {
	local cur words prev help choice
	COMPREPLY=()
	_sluice_words
	prev=${words[-2]}
	help=$("${words[0]}" --help 2>/dev/null)
	choice=$(sed -n "s/^ *\(-[a-zA-Z], *\)\{0,1\}$prev \([a-z]*|[a-z|]*\).*/\2/p" <<<"$help")
	if [[ $prev == --* && -n $choice ]]; then
		mapfile -t COMPREPLY < <(compgen -W "${choice//|/ }" -- "$cur")
	elif [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(grep -oE '^ *(-[a-zA-Z], *)?--[a-z][a-z-]*' <<<"$help" |
			grep -oE -- '--[a-z-]*')" -- "$cur")
	else
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}

complete -F _sluice sluice
complete -F _sluice_options sluice-load sluiced
