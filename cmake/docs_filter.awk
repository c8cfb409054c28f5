# SPDX-License-Identifier: BSL-1.0
# What Doxygen reads of a source: without the namespace of the version, and without what is in procpool::detail or fmt's. Lines keep
# their numbers. Of a page: placeholders like <folder> are no HTML.
function braces(line) {
    gsub(/\\./, "", line)
    gsub(/"[^"]*"/, "", line)
    gsub(/'[^']*'/, "", line)
    sub(/\/\/.*/, "", line)
    return gsub(/{/, "{", line) - gsub(/}/, "}", line)
}
FILENAME ~ /\.md$/ {
    gsub(/=<folder>/, "=\\&lt;folder\\&gt;")
    print
    next
}
{ gsub(/::inline v0/, "") }
/^ *\/\/\// { gsub(/\\[xu]/, "\\&") }  # control characters in a comment are no commands
depth > 0 {
    depth += braces($0)
    print ""
    next
}
/^ *namespace (procpool::)?detail(::[a-z]+)* *{/ || /^(template <> )?struct fmt::/ {
    depth = braces($0)
    print template == "" ? "" : "\n"  # its template <...> goes with it
    template = ""
    next
}
template != "" {
    print template
    template = ""
}
/^template <.*>$/ {
    template = $0
    next
}
{ print }
END {
    if (depth != 0) {
        print FILENAME ": the end of a namespace was not found" >"/dev/stderr"
    }
}
