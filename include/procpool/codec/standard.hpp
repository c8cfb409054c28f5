// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Codecs of everything in the standard library that travels. What is not named here does so as its bytes, such as
/// std::complex, std::bitset and the types of chrono.

#include <procpool/codec/address.hpp>
#include <procpool/codec/choice.hpp>
#include <procpool/codec/codec.hpp>
#include <procpool/codec/container.hpp>
#include <procpool/codec/error_code.hpp>
#include <procpool/codec/product.hpp>
#include <procpool/codec/span.hpp>
#include <procpool/codec/text.hpp>
