# SPDX-License-Identifier: Apache-2.0
# The Debian package. tools/package makes and checks it.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME evenkeel)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "evenkeel maintainers <maintainers@evenkeel.example>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "balancer and chunk migrations for MongoDB sharded clusters")
set(CPACK_PACKAGE_DESCRIPTION
    "evenkeel plans how chunks should move between the shards of a MongoDB cluster,
says why, how much and how long it takes, and carries it out: once, round by
round, or as a service. It decides as MongoDB's own balancer does.
.
The service is installed, and neither enabled nor started: it needs a
configuration first.")
set(CPACK_SET_DESTDIR ON) # units stand outside the prefix
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ
    WORLD_EXECUTE)
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_SOURCE_DIR}/debian/prepare.cmake)
set(CPACK_EVENKEEL_DEBIAN_DIR ${CMAKE_CURRENT_SOURCE_DIR}/debian)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1) # the first line of debian/changelog says the same
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
# Libraries by dpkg-shlibdeps; tzdata for balancing windows; systemd makes the user; procps has kill, for the unit's reload.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "procps, tzdata, systemd | systemd-standalone-sysusers | systemd-sysusers")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "sqlite3")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${CMAKE_CURRENT_SOURCE_DIR}/debian/postinst ${CMAKE_CURRENT_SOURCE_DIR}/debian/prerm
    ${CMAKE_CURRENT_SOURCE_DIR}/debian/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
