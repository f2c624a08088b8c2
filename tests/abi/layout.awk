# C headers to a C program that prints the size and offsets of every struct as JSON. One struct per `typedef struct NAME { ... } NAME;`.
BEGIN {
  print "#include <stdio.h>"
  print "#include <stddef.h>"
}
FNR == 1 {
  name = FILENAME
  sub(/^.*\/include\//, "", name)
  printf "#include \"%s\"\n", name
}
{
  # Comments out, also those that run over lines.
  line = ""
  rest = $0
  while (rest != "") {
    if (comment) {
      at = index(rest, "*/")
      if (at == 0) { rest = ""; break }
      comment = 0
      rest = substr(rest, at + 2)
    } else {
      at = index(rest, "/*")
      if (at == 0) { line = line rest; rest = "" }
      else { line = line substr(rest, 1, at - 1); rest = substr(rest, at + 2); comment = 1 }
    }
  }
}
line ~ /^[ ]*#/ { next }
!inside && match(line, /^typedef struct [a-z_0-9]+ [{]/) {
  split(line, words, " ")
  struct = words[3]
  structs[++n_structs] = struct
  inside = 1
  statement = ""
  next
}
inside && line ~ /^}/ { inside = 0; next }
inside {
  statement = statement " " line
  while ((at = index(statement, ";")) > 0) {
    field = substr(statement, 1, at - 1)
    statement = substr(statement, at + 1)
    if (match(field, /\(\*[a-z_0-9]+\)/)) member = substr(field, RSTART + 2, RLENGTH - 3)
    else {
      sub(/\[[^\]]*\][ ]*$/, "", field)
      match(field, /[a-z_0-9]+[ ]*$/)
      member = substr(field, RSTART)
      gsub(/ /, "", member)
    }
    members[struct] = members[struct] " " member
  }
}
END {
  print "int main(void) {"
  print "  puts(\"{\");"
  for (i = 1; i <= n_structs; ++i) {
    s = structs[i]
    printf "  printf(\"  \\\"%s\\\": {\\n    \\\"sizeof\\\": %%zu\", sizeof(%s));\n", s, s
    n = split(members[s], list, " ")
    for (j = 1; j <= n; ++j) {
      printf "  printf(\",\\n    \\\"%s\\\": %%zu\", offsetof(%s, %s));\n", list[j], s, list[j]
    }
    printf "  puts(\"\\n  }%s\");\n", i < n_structs ? "," : ""
  }
  print "  puts(\"}\");"
  print "  return 0;"
  print "}"
}
