# SPDX-License-Identifier: BSL-1.0
"""conan create <checkout>/cmake/packaging/conan: a package of the checkout that this recipe lies in."""

import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load


class Procpool(ConanFile):
    name = "procpool"
    description = "A process pool for C++20"
    license = "BSL-1.0"
    package_type = "static-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"fPIC": [True, False]}
    default_options = {"fPIC": True}

    @property
    def _checkout(self):
        return os.path.join(self.recipe_folder, os.pardir, os.pardir, os.pardir)

    def set_version(self):
        header = load(self, os.path.join(self._checkout, "include", "procpool", "core", "version.hpp"))
        self.version = ".".join(re.findall(r"PROCPOOL_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header))

    def export_sources(self):
        for pattern in ("CMakeLists.txt", "LICENSE", "cmake/*", "include/*"):
            copy(self, pattern, self._checkout, self.export_sources_folder)

    def validate(self):
        if self.settings.os != "Linux":
            raise ConanInvalidConfiguration("procpool needs Linux")
        check_min_cppstd(self, 20)

    def requirements(self):
        self.requires("fmt/[>=8]", transitive_headers=True)

    def layout(self):
        cmake_layout(self)

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        for option in ("TESTS", "EXAMPLES", "BENCHMARKS"):
            toolchain.cache_variables[f"PROCPOOL_BUILD_{option}"] = False
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        CMake(self).install()

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "procpool")
        header_only = self.cpp_info.components["procpool"]
        header_only.set_property("cmake_target_name", "procpool::procpool")
        header_only.set_property("pkg_config_name", "procpool")
        header_only.requires = ["fmt::fmt"]
        header_only.system_libs = ["pthread"]
        header_only.libdirs = []
        compiled = self.cpp_info.components["compiled"]
        compiled.set_property("cmake_target_name", "procpool::compiled")
        compiled.set_property("pkg_config_name", "procpool-compiled")
        compiled.defines = ["PROCPOOL_COMPILED"]
        compiled.libs = ["procpool"]
        compiled.requires = ["procpool"]
