# SPDX-License-Identifier: Apache-2.0
# Run by cpack on the staged files: what Debian wants otherwise than other systems.
set(root ${CPACK_TEMPORARY_DIRECTORY})
set(doc ${root}/usr/share/doc/evenkeel)

function(compress file)
  execute_process(COMMAND gzip -9nf ${file} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(GLOB_RECURSE pages ${root}/usr/share/man/*)
foreach(page ${pages})
  compress(${page})
endforeach()

# The licence is among /usr/share/common-licenses; the copyright file says which it is.
file(REMOVE ${doc}/LICENSE)
file(COPY ${CPACK_EVENKEEL_DEBIAN_DIR}/copyright DESTINATION ${doc})
file(RENAME ${doc}/CHANGELOG.md ${doc}/changelog)
compress(${doc}/changelog)
configure_file(${CPACK_EVENKEEL_DEBIAN_DIR}/changelog ${doc}/changelog.Debian COPYONLY)
compress(${doc}/changelog.Debian)

file(MAKE_DIRECTORY ${root}/usr/share/lintian/overrides)
configure_file(${CPACK_EVENKEEL_DEBIAN_DIR}/lintian-overrides ${root}/usr/share/lintian/overrides/evenkeel COPYONLY)

# Debian's zsh looks elsewhere.
file(MAKE_DIRECTORY ${root}/usr/share/zsh/vendor-completions)
file(RENAME ${root}/usr/share/zsh/site-functions/_evenkeel ${root}/usr/share/zsh/vendor-completions/_evenkeel)
file(REMOVE_RECURSE ${root}/usr/share/zsh/site-functions)

execute_process(COMMAND strip --remove-section=.comment ${root}/usr/bin/evenkeel COMMAND_ERROR_IS_FATAL ANY)

file(GLOB_RECURSE files LIST_DIRECTORIES true ${root}/*)
foreach(file ${files})
  if(IS_DIRECTORY ${file} OR file STREQUAL "${root}/usr/bin/evenkeel")
    file(CHMOD ${file} PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
  else()
    file(CHMOD ${file} PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
  endif()
endforeach()
