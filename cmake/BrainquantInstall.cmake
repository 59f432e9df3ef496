# The installed CMake package: find_package(brainquant) gives brainquant::brainquant.
