# SPDX-License-Identifier: BSL-1.0
# The filter of the reference: what Doxygen reads of a file. Lines keep their numbers.
# Of a source: all but the namespace of the version, what stands in procpool::detail or fmt's namespace, specialisations, names that are only
# texts for compilers to print, and members for derived classes, which are all the library's own. Of a page: headings with names, and links that hold in HTML, where each page has another
# place. -v root=... tells the folder that links are made relative to.
function braces(line) {
    gsub(/\\./, "", line)
    gsub(/"[^"]*"/, "", line)
    gsub(/'[^']*'/, "", line)
    sub(/\/\/.*/, "", line)
    return gsub(/{/, "{", line) - gsub(/}/, "}", line)
}

# The path of what a page's link refers to, from the root.
function from_root(link,    path) {
    path = FILENAME
    sub(/[^\/]*$/, "", path)
    path = path link
    while (sub(/[^\/]+\/\.\.\//, "", path)) {
    }
    return substr(path, length(root) + 2)
}
# A page's name for Doxygen: README.md is the main page, which is called index.
function name_of(path) {
    sub(/\.md$/, "", path)
    sub(/(^|\/)README$/, "", path)
    gsub(/[^A-Za-z0-9]+/, "_", path)
    sub(/^_/, "", path)
    return path == "" ? "index" : tolower(path)
}
# The name that GitHub gives to a heading.
function slug(heading) {
    sub(/^#+ +/, "", heading)
    heading = tolower(heading)
    gsub(/[^a-z0-9 _-]/, "", heading)
    gsub(/ /, "-", heading)
    return heading
}
function with_links(line,    done, target, anchor) {
    while (match(line, /\]\([A-Za-z0-9_.\/-]*(#[a-z0-9_-]+)?\)/)) {
        target = substr(line, RSTART + 2, RLENGTH - 3)
        done = done substr(line, 1, RSTART + 1)
        line = substr(line, RSTART + RLENGTH)
        anchor = ""
        if (match(target, /#/)) {
            anchor = "_" substr(target, RSTART + 1)
            target = substr(target, 1, RSTART - 1)
        }
        if (target == "" && anchor == "") {
            done = done ")"
        } else if (target == "") {
            done = done "@ref " name_of(substr(FILENAME, length(root) + 2)) anchor ")"
        } else if (target ~ /\.md$/) {
            done = done "@ref " name_of(from_root(target)) anchor ")"
        } else {
            done = done from_root(target) ")"
        }
    }
    return done line
}
FILENAME ~ /\.md$/ {
    if (/^ *```/) {
        is_code = !is_code
    }
    if (!is_code) {
        gsub(/=<folder>/, "=\\&lt;folder\\&gt;")  # is no HTML
        $0 = with_links($0)
        page = name_of(substr(FILENAME, length(root) + 2))
        if (/^##+ /) {
            anchor = page "_" slug($0)
            $0 = $0 " {#" anchor (anchor in headings ? "-" headings[anchor] : "") "}"
            ++headings[anchor]
        } else if (/^# / && page != "index") {
            $0 = $0 " {#" page "}"
        }
    }
    print
    next
}

# What belongs to the next line, and goes with it: its comment, and its template <...>.
function give_held() {
    printf "%s", held
    held = ""
}
{ gsub(/::inline v0/, "") }
/^ *\/\/\// { gsub(/\\[xu]/, "\\&") }  # control characters in a comment are no commands
# What a pool does stands in its base, for readers a public one.
{ sub(/detail::PoolBase/, "PoolBase") }
FILENAME ~ /\/pool_base\.hpp$/ { sub(/^namespace procpool::detail/, "namespace procpool") }
depth > 0 || is_open {
    depth += braces($0)
    is_open = is_open && !/[{;]/
    print ""
    next
}
/^ *namespace (procpool::)?detail(::[a-z]+)* *{/ || /^(template <.*> )?struct (fmt|detail)::/ || /^struct Codec</ ||
/^inline constexpr bool enable_[a-z]+</ || /^namespace (engine|pool) {/ ||
/^auto [A-Za-z]+<[A-Z]>::/ || /^struct a_/ {
    depth = braces($0)
    is_open = !/[{;]/
    gsub(/[^\n]/, "", held)
    give_held()
    print ""
    next
}
# Members between \{ and \} have the comment of the first one in common: each gets it, in its own line.
/^ *\/\/\/ \\\{$/ {
    in_group = 1
    is_first = 1
    comment = ""
    print ""
    next
}
/^ *\/\/\/ \\\}$/ {
    in_group = 0
    print ""
    next
}
in_group {
    is_comment = /^ *\/\//
    group_depth += braces($0)
    is_end = group_depth == 0 && !is_comment && /[;}] *(\/\/.*)?$/
    if (is_comment && is_first) {
        comment = comment substr($0, index($0, "///") + 3)
    } else if (!is_first && is_between && !is_comment && NF > 0) {
        match($0, /^ */)
        $0 = substr($0, 1, RLENGTH) "/**" comment " */ " substr($0, RLENGTH + 1)
    }
    is_first = is_first && is_comment
    is_between = is_end || (is_between && NF == 0)
}
/^\/\/\/ / || /^template <.*>$/ || /^requires [^{;]*$/ {
    held = held $0 "\n"
    next
}
{
    give_held()
    sub(/^protected:/, "private:")
    print
}
END {
    give_held()
    if (depth != 0) {
        print FILENAME ": the end of a namespace was not found" >"/dev/stderr"
    }
}
