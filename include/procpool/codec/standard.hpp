// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Codecs of everything in the standard library that travels.

#include <procpool/codec/address.hpp>
#include <procpool/codec/choice.hpp>
#include <procpool/codec/codec.hpp>
#include <procpool/codec/container.hpp>
#include <procpool/codec/error_code.hpp>
#include <procpool/codec/message.hpp>
#include <procpool/codec/product.hpp>
#include <procpool/codec/span.hpp>
#include <procpool/codec/text.hpp>
#include <procpool/codec/values.hpp>
