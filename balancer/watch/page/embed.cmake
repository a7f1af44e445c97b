# SPDX-License-Identifier: Apache-2.0
# Writes the page's files as C arrays. Run at build time: cmake -DFOLDER=... -DOUTPUT=... -P embed.cmake
set(text "// Made of ${FOLDER} by embed.cmake.\n#include \"balancer/watch/page_private.h\"\n")
foreach(pair "index:index.html" "style:page.css" "script:page.js")
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 name)
  list(GET pair 1 file)
  file(READ "${FOLDER}/${file}" hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")
  string(APPEND text "const unsigned char page_file_${name}[] = {\n${bytes}\n};\n"
                     "const size_t page_file_${name}_len = sizeof page_file_${name};\n")
endforeach()
file(WRITE "${OUTPUT}" "${text}")
